"""Adds to the console's audit trail: its entries as CSV file, workbook and page to print."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpResponseRedirect, StreamingHttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import content_disposition_header

from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.writing import build_actor, get_user
from ctms.audit.choices import AuditAction
from ctms.audit.heads import get_chain_head
from ctms.audit.models import AuditEntry
from ctms.audit.reading import EntryReader, ToldEntry
from ctms.audit.services import record_event
from ctms.core.clock import get_now
from ctms.records.lists.exports import stream_lines, write_rows

if TYPE_CHECKING:
    from django.http import HttpRequest
    from django.http.response import HttpResponseBase
    from django.urls import URLPattern

CSV, XLSX, PRINT = "csv", "xlsx", "print"
EXPORTS = ((CSV, "CSV", "download"), (XLSX, "Excel", "download"), (PRINT, "Print", "print"))
MOST_PRINTED = 2000
_XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADING = (
    "Entry",
    "Time (UTC)",
    "Who",
    "Role",
    "IP address",
    "Time zone",
    "Source",
    "Reference",
    "Action",
    "Object",
    "Record",
    "UID",
    "Study",
    "Connection",
    "Field",
    "Before",
    "After",
    "Reason",
)


@extend_page(AuditEntry)
class AuditExport(AuditEntryAdmin):
    """Exports what the list shows with its filters, all of it. Each export is an entry itself."""

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "exports": EXPORTS})

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.export_entries)
        return [path("export/<str:file_format>/", view, name="audit_auditentry_export"), *super().get_urls()]

    def export_entries(self, request: HttpRequest, file_format: str) -> HttpResponseBase:
        """Send the entries that match the filters of the address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        if file_format not in (CSV, XLSX, PRINT):
            raise Http404(f"The audit trail is exported as {CSV}, {XLSX} or {PRINT}, not as {file_format}.")
        changelist: Any = self.get_changelist_instance(request)
        entries = changelist.get_queryset(request).order_by("-id")
        # The export is not among what it exports.
        last = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
        entries = entries.filter(id__lte=last)
        record_event(
            actor=build_actor(request),
            action=AuditAction.EXPORTED,
            object_name="admin:audit",
            changes={"format": [None, file_format], "filters": [None, request.GET.urlencode()]},
        )
        told = EntryReader(user=get_user(request)).iterate(entries)
        if file_format == PRINT:
            return self._print(request, told)
        response: HttpResponseBase
        if file_format == CSV:
            lines = stream_lines(heading=HEADING, rows=list_rows(told))
            response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        else:
            file = write_rows(title="Audit trail", heading=HEADING, rows=list_rows(told))
            response = FileResponse(file, content_type=_XLSX_TYPE)
        name = f"audit-trail-{timezone.localdate():%Y-%m-%d}.{file_format}"
        response.headers["Content-Disposition"] = content_disposition_header(as_attachment=True, filename=name) or ""
        response.headers["Cache-Control"] = "no-store"
        return response

    def _print(self, request: HttpRequest, told: Iterator[ToldEntry]) -> HttpResponseBase:
        entries = list(islice(told, MOST_PRINTED + 1))
        if not entries:
            return HttpResponseRedirect(reverse("admin:audit_auditentry_changelist"))
        context = {
            "entries": entries[:MOST_PRINTED],
            "is_cut": len(entries) > MOST_PRINTED,
            "most": MOST_PRINTED,
            "filters": sorted((name, value) for name, value in request.GET.items() if value),
            "printed_at": get_now(),
            "printed_by": get_user(request),
            "head": get_chain_head(),
        }
        response = TemplateResponse(request, "admin/audit/print.html", context)
        response.headers["Cache-Control"] = "no-store"
        return response


def list_rows(told: Iterable[ToldEntry]) -> Iterator[list[Any]]:
    """Yield the lines of a file: one for each changed field, and one for an entry without changes."""
    for each in told:
        entry = each.entry
        head: list[Any] = [
            entry.pk,
            entry.at.replace(tzinfo=None, microsecond=0),
            entry.actor_name,
            entry.actor_role,
            entry.address,
            entry.time_zone,
            entry.source,
            entry.reference,
            entry.get_action_display(),
            each.object_label,
            entry.record_name,
            str(entry.record_uid or ""),
            each.study,
            each.connection,
        ]
        for change in each.changes:
            yield [*head, change.label, change.before, change.after, entry.reason]
        if not each.changes:
            yield [*head, "", "", "", entry.reason]
