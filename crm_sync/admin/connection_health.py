"""Columns with the health of connections, in their list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html, format_html_join

from connections.models import Connection
from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.health import list_connection_health
from crm_sync.reconciliation.selectors import list_latest_reconciliations
from ctms.accounts.policies import has_permission
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import get_user
from ctms.core.clock import format_time
from exceptions_log.admin import shown as shown_items
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from django.http import HttpRequest

STATE_TONES: dict[str, str] = {
    ConnectionStateKey.OK: "success",
    ConnectionStateKey.WITH_EXCEPTIONS: "warning",
    ConnectionStateKey.FAILING: "danger",
    ConnectionStateKey.SILENT: "danger",
    ConnectionStateKey.PAUSED: "warning",
    ConnectionStateKey.UNFINISHED: "warning",
    ConnectionStateKey.INACTIVE: "",
}


@extend_page(Connection)
class ConnectionHealth(AuditedModelAdmin):
    """Adds the health to the list of connections, computed for all connections of a page at once."""

    list_display: Any = (
        "name",
        "show_health",
        "show_last_success",
        "show_open_exceptions",
        "show_unmatched_persons",
        "show_unexplained",
        "show_crm",
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the page of the list, with its health set on each connection."""
        changelist: Any = super().get_changelist_instance(request)
        may_open = has_permission(user=get_user(request), permission=f"{ExceptionItem.object_name}:read")
        if isinstance(changelist.result_list, QuerySet):
            connections = list(changelist.result_list)
            reconciliations = list_latest_reconciliations(connections)
            for connection, health in zip(connections, list_connection_health(connections), strict=True):
                connection.health, connection.links_to_exceptions = health, may_open
                connection.reconciliation = reconciliations.get(connection.pk)
                connection.links_to_reconciliation = self.has_change_permission(request, connection)
        return changelist

    @display(description="state", label=STATE_TONES)
    def show_health(self, connection: Any) -> tuple[str, str]:
        state = connection.health.state
        return state.key, state.label

    @admin.display(description="last success")
    def show_last_success(self, connection: Any) -> str:
        return format_time(connection.health.last_success_at)

    @admin.display(description="exceptions")
    def show_open_exceptions(self, connection: Any) -> str:
        number = connection.health.open_exceptions
        if not number or not connection.links_to_exceptions:
            return f"{number:,}"
        url = build_items_url(connection.pk)
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, f"{number:,}")

    @admin.display(description="unmatched")
    def show_unmatched_persons(self, connection: Any) -> str:
        return f"{connection.health.unmatched_persons:,}"

    @admin.display(description="unexplained")
    def show_unexplained(self, connection: Any) -> str:
        """Return how many records the last reconciliation could not explain, with its page behind the number."""
        found = connection.reconciliation
        if found is None:
            return "Not compared"
        number = f"{found.unexplained:,}" if not found.errors else f"{found.unexplained:,}, not all compared"
        if not connection.links_to_reconciliation:
            return number
        url = reverse("admin:connections_connection_reconciliation", args=(connection.pk,))
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, number)

    @admin.display(description="URL and authorization", ordering="url")
    def show_crm(self, connection: Any) -> str:
        """Return the URL, the Authorization below it, and whether its certificate ends soon."""
        told = [str(connection.authorization or ""), connection.health.certificate_warning]
        hints = format_html_join("", "<p class='vault-hint'>{}</p>", ((text,) for text in told if text))
        return format_html("<div>{}{}</div>", connection.url or "–", hints)


def build_items_url(connection_id: int, *, shown: str = "") -> str:
    """Return the address of a connection's exception items: those that fail now, or with `shown="all"` all of them."""
    return shown_items.build_items_url(
        message__connection__id__exact=connection_id, **({"shown": shown} if shown else {})
    )
