"""The console page of the audit trail, which is read-only."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter, DropdownFilter, RangeDateTimeFilter

from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import AUDIT_PERMISSION
from ctms.audit.models import AuditEntry

_SHOWN_IN_LISTS = 3


class SourceFilter(DropdownFilter):
    """Filters entries by the way in which a change came in."""

    title = "source"
    parameter_name = "source"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return [(value, value.capitalize()) for value in ("page", "admin", "api", "import", "job", "command")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:  # noqa: ARG002  Django's signature
        return queryset.filter(source=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyModelAdmin):
    """The audit entries, latest first."""

    view_permission = AUDIT_PERMISSION
    list_display = ("at", "actor_name", "action", "object_name", "record_name", "show_summary", "source", "reference")
    list_filter = (("action", ChoicesDropdownFilter), SourceFilter, ("at", RangeDateTimeFilter))
    list_filter_submit = True
    linked_lookups = ("record_uid__exact",)
    search_fields = ("record_name", "actor_name", "object_name")
    search_help_text = "Record, actor or object"
    list_per_page = 50
    fields = (
        "at",
        "actor_name",
        "source",
        "reference",
        "action",
        "object_name",
        "record_name",
        "record_uid",
        "show_changes",
        "reason",
    )
    readonly_fields = fields

    @admin.display(description="changed")
    def show_summary(self, entry: AuditEntry) -> str:
        """Return the names of the first changed fields, and how many more there are."""
        names = list(entry.changes)
        more = f" and {len(names) - _SHOWN_IN_LISTS} more" if len(names) > _SHOWN_IN_LISTS else ""
        return ", ".join(names[:_SHOWN_IN_LISTS]) + more or "–"

    @admin.display(description="changes")
    def show_changes(self, entry: AuditEntry) -> str:
        """Return an HTML table of the changed fields with their values before and after."""
        if not entry.changes:
            return "–"
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>",
            ((name, *(_show(value) for value in _pair(values))) for name, values in entry.changes.items()),
        )
        return format_html(
            "<table class='vault-table'><thead><tr><th scope='col'>Field</th><th scope='col'>Before</th>"
            "<th scope='col'>After</th></tr></thead><tbody>{}</tbody></table>",
            rows,
        )


def _pair(values: Any) -> tuple[Any, Any]:
    """Return the values before and after; of two lists, such as permissions, what was removed and what was added."""
    before, after = (values[0], values[1]) if isinstance(values, list) and len(values) == 2 else ("", values)  # noqa: PLR2004  before and after
    if isinstance(before, list) and isinstance(after, list):
        return _list("Removed", before, without=after), _list("Added", after, without=before)
    return before, after


def _list(word: str, values: list[Any], *, without: list[Any]) -> str:
    only = [str(value) for value in values if value not in without]
    return f"{word}: {', '.join(only)}" if only else ""


def _show(value: Any) -> str:
    return "–" if value in (None, "", [], {}) else str(value)
