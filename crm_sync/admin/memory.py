"""What the transfer remembers, in the admin: read only."""

from __future__ import annotations

from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from connections.admin.filters import IntegrationFilter
from crm_sync.admin.identifier_check import IdentifierCheckAdmin
from crm_sync.choices import IntegrationRunState
from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import display

_READ_INTEGRATIONS = "integration__sys:read"
_STATE_LABELS = {
    IntegrationRunState.RUNNING.label: "info",
    IntegrationRunState.SUCCEEDED.label: "success",
    IntegrationRunState.WITH_EXCEPTIONS.label: "warning",
    IntegrationRunState.FAILED.label: "danger",
    IntegrationRunState.STOPPED.label: "warning",
    IntegrationRunState.INTERRUPTED.label: "warning",
}


@admin.register(IntegrationRun)
class IntegrationRunAdmin(ReadOnlyModelAdmin):
    """What each run did in each integration."""

    view_permission = _READ_INTEGRATIONS
    list_display = (
        "started_at",
        "connection_name",
        "integration",
        "show_state",
        "selected",
        "created",
        "updated",
        "deleted",
        "unchanged",
        "failed",
        "blocked",
        "api_calls",
    )
    list_filter = (
        "integration__connection",
        ("integration__kind", IntegrationFilter),
        ("state", ChoicesDropdownFilter),
    )
    list_select_related = ("integration__connection", "run__definition")

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, run: IntegrationRun) -> str:
        return str(run.integration.connection)

    @display(description="state", label=_STATE_LABELS, ordering="state")
    def show_state(self, run: IntegrationRun) -> str:
        return run.get_state_display()


@admin.register(TransferLink)
class TransferLinkAdmin(ReadOnlyModelAdmin):
    """Which record of the Vault is which record of the CRM."""

    view_permission = _READ_INTEGRATIONS
    list_display = ("record_uid", "crm_id", "connection_name", "integration", "state", "pending", "version")
    list_filter = (
        "integration__connection",
        ("integration__kind", IntegrationFilter),
        ("state", ChoicesDropdownFilter),
        "pending",
    )
    list_select_related = ("integration__connection",)
    search_fields = ("crm_id__exact",)
    search_help_text = "A whole CRM id or UID"

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TransferLink], search_term: str
    ) -> tuple[QuerySet[TransferLink], bool]:
        """As Django's; a UID is compared as such, not as the text that the database keeps it as."""
        try:
            return queryset.filter(record_uid=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, link: TransferLink) -> str:
        return str(link.integration.connection)


@admin.register(AccountMatch)
class AccountMatchAdmin(IdentifierCheckAdmin):
    """Which account of each CRM organisation a person was matched with, and by what."""

    view_permission = _READ_INTEGRATIONS
    list_display = ("person", "connection", "identifier", "value", "account_id")
    list_filter = ("connection",)
    list_select_related = ("person", "connection")
    search_fields = ("value", "account_id", "person__last_name")
