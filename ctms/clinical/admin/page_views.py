"""The console page of page views: what inspectors, and others whose profile says so, looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, StreamingHttpResponse
from unfold.contrib.filters.admin import AutocompleteSelectFilter

from ctms.accounts.models import PageView
from ctms.audit.admin.filters import MomentFilter
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import build_actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.records.lists.exports import stream_lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.db.models import QuerySet

_EXPORT = "export"
_ROWS_PER_FETCH = 1000
_HEADING = ("Time (UTC)", "User", "Username", "Method", "Address", "Answer", "Object", "Record", "Record UID")


@admin.register(PageView)
class PageViewAdmin(ReadOnlyModelAdmin):
    """The requests, latest first. `?export=csv` sends all that the filters of the address leave as a file."""

    view_permission: ClassVar[str] = "admin:security"
    list_display = ("at", "user", "method", "address", "status", "object_name", "record_name")
    list_display_links = ("at",)
    list_filter = (("user", AutocompleteSelectFilter), ("at", MomentFilter))
    list_filter_submit = True
    list_select_related = ("user",)
    linked_lookups = ("record_uid__exact",)
    search_fields = ("record_name", "address", "user__username", "user__last_name")
    search_help_text = "Record, address or user"
    list_per_page = 50
    list_before_template = "admin/clinical/page_views.html"
    fields = ("at", "user", "method", "address", "status", "object_name", "record_name", "record_uid")
    readonly_fields = fields

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list, or send it as a file."""
        if request.GET.get(_EXPORT) != "csv" or not self.has_view_permission(request):
            return super().changelist_view(request, extra_context)
        asked = request.GET.copy()
        del asked[_EXPORT]
        request.GET = asked  # type: ignore[assignment]  # Django reads the filters from it
        return _export(request, rows=self.get_changelist_instance(request).get_queryset(request))


def _export(request: HttpRequest, *, rows: QuerySet[PageView]) -> StreamingHttpResponse:
    """Send the rows as a CSV file, and record that in the audit trail."""
    record_event(
        actor=build_actor(request),
        action=AuditAction.EXPORTED,
        object_name="accounts.pageview",
        changes={"list": [None, request.GET.urlencode()], "records": [None, rows.count()]},
    )
    lines = stream_lines(heading=_HEADING, rows=_list_lines(rows))
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="page-views.csv"'
    response.headers["Cache-Control"] = "no-store"
    return response


def _list_lines(rows: QuerySet[PageView]) -> Iterator[list[str | int]]:
    for row in rows.iterator(chunk_size=_ROWS_PER_FETCH):
        yield [
            f"{row.at:%Y-%m-%d %H:%M:%S}",
            str(row.user),
            row.user.username,
            row.method,
            row.address,
            row.status,
            row.object_name,
            row.record_name,
            str(row.record_uid or ""),
        ]
