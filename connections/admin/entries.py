"""Adds the filter by connection to the console's audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.contrib.filters.admin import DropdownFilter

from connections.models import Connection
from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.entry_filters import is_uid
from ctms.audit.admin.pages import extend_page
from ctms.audit.models import AuditEntry

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class EntryConnectionFilter(DropdownFilter):
    """Filters audit entries by the connection whose set-up was changed, or for which a run wrote."""

    title = "connection"
    parameter_name = "connection"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        connections = Connection.objects.order_by("name").values_list("uid", "name")
        return [(str(uid), name) for uid, name in connections]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:  # noqa: ARG002  Django's signature
        return queryset.filter(connection_uid=self.value()) if is_uid(self.value()) else queryset


@extend_page(AuditEntry)
class EntriesByConnection(AuditEntryAdmin):
    """Adds the filter to the page."""

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*super().get_list_filter(request), EntryConnectionFilter]
