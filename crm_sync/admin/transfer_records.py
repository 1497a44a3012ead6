"""Read-only lists of runs, reconciliations, links and account matches in the admin."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from connections.admin.filters import IntegrationFilter
from connections.choices import IntegrationKind
from crm_sync.admin.identifier_check import IdentifierCheckAdmin
from crm_sync.admin.record_names import NamedRecordsChangeList, link_record
from crm_sync.choices import AttemptOutcome, IntegrationRunState, RecordWord
from crm_sync.models import AccountMatch, IntegrationRun, Reconciliation, TransferAttempt, TransferLink
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import ChangeList, display

_READ_INTEGRATIONS = "integration__sys:read"
_STATE_LABELS = {
    IntegrationRunState.RUNNING.label: "info",
    IntegrationRunState.SUCCEEDED.label: "success",
    IntegrationRunState.WITH_EXCEPTIONS.label: "warning",
    IntegrationRunState.FAILED.label: "danger",
    IntegrationRunState.STOPPED.label: "warning",
    IntegrationRunState.INTERRUPTED.label: "warning",
}
_OUTCOME_LABELS = {
    AttemptOutcome.CREATED.label: "success",
    AttemptOutcome.UPDATED.label: "success",
    AttemptOutcome.DELETED.label: "info",
    AttemptOutcome.REFUSED.label: "danger",
}


def _label(kind: str) -> str:
    return IntegrationKind(kind).label if kind else "Connection"


@admin.register(IntegrationRun)
class IntegrationRunAdmin(ReadOnlyModelAdmin):
    """Lists the counts of each integration in each run."""

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
        "list_attempts",
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

    @admin.display(description="records")
    def list_attempts(self, run: IntegrationRun) -> str:
        url = reverse("admin:crm_sync_transferattempt_changelist")
        query = urlencode({"run__id__exact": run.run_id, "integration__id__exact": run.integration_id})
        return format_html('<a href="{}?{}">Show</a>', url, query)

    @display(description="state", label=_STATE_LABELS, ordering="state")
    def show_state(self, run: IntegrationRun) -> str:
        return run.get_state_display()


@admin.register(Reconciliation)
class ReconciliationAdmin(ReadOnlyModelAdmin):
    """Lists what was unexplained in each reconciliation; the last one is on the page of its connection."""

    view_permission = _READ_INTEGRATIONS
    list_display = ("started_at", "connection", "unexplained", "is_proof", "api_calls", "finished_at")
    list_filter = ("connection",)
    list_select_related = ("connection", "run__definition")
    fields = ("connection", "run", "started_at", "finished_at", "unexplained", "show_words", "show_errors", "api_calls")

    @admin.display(description="proof", boolean=True)
    def is_proof(self, reconciliation: Reconciliation) -> bool:
        return reconciliation.is_proof

    @admin.display(description="records by word")
    def show_words(self, reconciliation: Reconciliation) -> str:
        """Return a line for each integration, such as `CRM Call Outbound: 9,992 equal, 1 failed`."""
        lines = [
            (
                _label(kind),
                ", ".join(f"{number:,} {RecordWord(word).label.lower()}" for word, number in numbers.items()),
            )
            for kind, numbers in reconciliation.counts.items()
        ]
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"

    @admin.display(description="what could not be compared")
    def show_errors(self, reconciliation: Reconciliation) -> str:
        lines = [(_label(kind), text) for kind, text in reconciliation.errors.items()]
        return format_html_join("", "<div>{}: {}</div>", lines) or "–"


@admin.register(TransferLink)
class TransferLinkAdmin(ReadOnlyModelAdmin):
    """Lists the links between Vault records and CRM records."""

    view_permission = _READ_INTEGRATIONS
    # The first column leads to the link; the record is a link to its own page, and a link cannot hold another.
    list_display = ("crm_id", "record", "connection_name", "integration", "state", "pending", "version")
    list_filter = (
        "integration__connection",
        ("integration__kind", IntegrationFilter),
        ("state", ChoicesDropdownFilter),
        "pending",
    )
    list_select_related = ("integration__connection", "integration__rule")
    search_fields = ("crm_id__exact",)
    search_help_text = "A whole CRM id or UID"

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return NamedRecordsChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TransferLink], search_term: str
    ) -> tuple[QuerySet[TransferLink], bool]:
        """Search as Django does; a UID is compared as a UUID, because databases store UUIDs in different forms."""
        try:
            return queryset.filter(record_uid=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description="record", ordering="record_uid")
    def record(self, link: TransferLink) -> str:
        return link_record(link)

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, link: TransferLink) -> str:
        return str(link.integration.connection)


@admin.register(TransferAttempt)
class TransferAttemptAdmin(ReadOnlyModelAdmin):
    """Lists every attempt to transfer a record."""

    view_permission = _READ_INTEGRATIONS
    list_display = ("at", "connection_name", "integration", "show_outcome", "record", "crm_id", "error_code")
    list_filter = (
        "integration__connection",
        ("integration__kind", IntegrationFilter),
        ("outcome", ChoicesDropdownFilter),
        "at",
    )
    list_select_related = ("integration__connection", "integration__rule")
    linked_lookups = ("run__id__exact", "integration__id__exact")
    search_fields = ("crm_id__exact", "error_code__exact")
    search_help_text = "A whole CRM id, UID or error code"
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:  # noqa: ARG002  Django's signature
        return NamedRecordsChangeList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[TransferAttempt], search_term: str
    ) -> tuple[QuerySet[TransferAttempt], bool]:
        """Search as Django does; a UID is compared as a UUID, because databases store UUIDs in different forms."""
        try:
            return queryset.filter(record_uid=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term)

    @admin.display(description="record", ordering="record_uid")
    def record(self, attempt: TransferAttempt) -> str:
        return link_record(attempt)

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, attempt: TransferAttempt) -> str:
        return str(attempt.integration.connection)

    @display(description="outcome", label=_OUTCOME_LABELS, ordering="outcome")
    def show_outcome(self, attempt: TransferAttempt) -> str:
        return attempt.get_outcome_display()


@admin.register(AccountMatch)
class AccountMatchAdmin(IdentifierCheckAdmin):
    """Lists the account of each person in each CRM organisation, with the identifier that matched."""

    view_permission = _READ_INTEGRATIONS
    list_display = ("person", "connection", "identifier", "value", "account_id")
    list_filter = ("connection",)
    list_select_related = ("person", "connection")
    search_fields = ("value", "account_id", "person__last_name")
