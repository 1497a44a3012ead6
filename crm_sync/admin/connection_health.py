"""The list of connections, with how each of them fares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.html import format_html

from crm_sync.choices import HealthState
from crm_sync.health import list_connection_health
from ctms.accounts.policies import has_permission
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import get_user
from ctms.core.clock import format_time
from exceptions_log.admin import shown as shown_items
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from django.http import HttpRequest

STATE_LABELS = {
    HealthState.OK.label: "success",
    HealthState.FAILING.label: "danger",
    HealthState.NEVER_RAN.label: "info",
    HealthState.INACTIVE.label: "",
}


class HealthyAdmin(AuditedModelAdmin):
    """Connections with their health at a glance, asked for the whole page at once."""

    list_display: Any = (
        "name",
        "show_health",
        "show_last_success",
        "show_open_exceptions",
        "show_unmatched_persons",
        "url",
        "authorization",
    )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """The page of the list, each connection of which carries its health."""
        changelist: Any = super().get_changelist_instance(request)
        may_open = has_permission(user=get_user(request), permission=f"{ExceptionItem.object_name}:read")
        if isinstance(changelist.result_list, QuerySet):
            connections = list(changelist.result_list)
            for connection, health in zip(connections, list_connection_health(connections), strict=True):
                connection.health, connection.links_to_exceptions = health, may_open
        return changelist

    @display(description="health", label=STATE_LABELS)
    def show_health(self, connection: Any) -> str:
        return str(connection.health.state.label)

    @admin.display(description="last successful run")
    def show_last_success(self, connection: Any) -> str:
        return format_time(connection.health.last_success_at)

    @admin.display(description="open exceptions")
    def show_open_exceptions(self, connection: Any) -> str:
        number = connection.health.open_exceptions
        if not number or not connection.links_to_exceptions:
            return f"{number:,}"
        url = build_items_url(connection.pk)
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, f"{number:,}")

    @admin.display(description="unmatched persons")
    def show_unmatched_persons(self, connection: Any) -> str:
        return f"{connection.health.unmatched_persons:,}"


def build_items_url(connection_id: int, *, shown: str = "") -> str:
    """Address of the list of a connection's exception items: those that fail now or, with `all`, all of them."""
    return shown_items.build_items_url(
        message__connection__id__exact=connection_id, **({"shown": shown} if shown else {})
    )
