"""The console page of the audit trail, which is read-only."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html, format_html_join
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from ctms.audit.admin.entry_filters import (
    ActorFilter,
    AddressFilter,
    FieldFilter,
    KindFilter,
    ObjectFilter,
    ReasonFilter,
    RoleFilter,
    SourceFilter,
)
from ctms.audit.admin.filters import MomentFilter
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.writing import get_user
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.audit.models import AuditEntry
from ctms.audit.reading import EntryReader, ToldEntry, get_object_label
from ctms.audit.words import tell_changes

if TYPE_CHECKING:
    _Paginator = Paginator[Any]
else:
    _Paginator = Paginator

MOST_LISTED = 10_000
_SHOWN_IN_LISTS = 3


class CappedPaginator(_Paginator):
    """Counts no further than `MOST_LISTED`: to count a million entries takes a hundred times as long."""

    @cached_property
    def count(self) -> int:
        entries: Any = self.object_list
        return int(entries.order_by()[:MOST_LISTED].count())


@register_page(AuditEntry)
class AuditEntryAdmin(ReadOnlyModelAdmin):
    """The audit entries, latest first."""

    view_permission = AUDIT_PERMISSION
    list_display = (
        "at",
        "actor_name",
        "actor_role",
        "action",
        "show_object",
        "record_name",
        "show_summary",
        "reason",
        "source",
        "address",
    )
    list_filter = (
        KindFilter,
        ActorFilter,
        RoleFilter,
        ("action", ChoicesDropdownFilter),
        ObjectFilter,
        FieldFilter,
        ("at", MomentFilter),
        AddressFilter,
        ReasonFilter,
        SourceFilter,
    )
    list_filter_submit = True
    linked_lookups = ("record_uid__exact", "actor__exact")
    search_fields = ("record_name",)
    search_help_text = "Name or UID of the record"
    list_per_page = 50
    show_facets = admin.ShowFacets.NEVER  # they would count all entries for each choice
    paginator = CappedPaginator
    fields = (
        "at",
        "actor_name",
        "actor_role",
        "address",
        "time_zone",
        "source",
        "reference",
        "action",
        "show_object",
        "record_name",
        "record_uid",
        "show_study",
        "show_connection",
        "show_changes",
        "reason",
    )
    readonly_fields = fields

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[AuditEntry], search_term: str
    ) -> tuple[QuerySet[AuditEntry], bool]:
        try:
            return queryset.filter(record_uid=UUID(search_term.strip())), False
        except ValueError:
            return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response: Any = super().changelist_view(request, extra_context)
        listed = getattr(response, "context_data", None) or {}
        if "cl" in listed and listed["cl"].result_count >= MOST_LISTED:
            text = (
                f"These are the latest {MOST_LISTED:,} entries. Use the filters to find older ones; exports have all."
            )
            self.message_user(request, text, messages.INFO)
        return response  # type: ignore[no-any-return]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        entry = super().get_object(request, object_id, from_field)
        if entry is not None:
            entry.told = EntryReader(user=get_user(request)).read([entry])[0]
        return entry

    @admin.display(description="object")
    def show_object(self, entry: AuditEntry) -> str:
        return get_object_label(entry)

    @admin.display(description="changed")
    def show_summary(self, entry: AuditEntry) -> str:
        """Return the labels of the first changed fields, and how many more there are."""
        labels = [each.label for each in tell_changes(changes=entry.changes, words=entry.words)]
        more = f" and {len(labels) - _SHOWN_IN_LISTS} more" if len(labels) > _SHOWN_IN_LISTS else ""
        return ", ".join(labels[:_SHOWN_IN_LISTS]) + more or "–"

    @admin.display(description="study")
    def show_study(self, entry: AuditEntry) -> str:
        return _get_told(entry).study or "–"

    @admin.display(description="connection")
    def show_connection(self, entry: AuditEntry) -> str:
        return _get_told(entry).connection or "–"

    @admin.display(description="changes")
    def show_changes(self, entry: AuditEntry) -> str:
        """Return an HTML table of the changed fields with their values before and after."""
        told = _get_told(entry)
        if not told.changes:
            return "–"
        rows = format_html_join(
            "",
            "<tr><th scope='row'>{}</th><td>{}</td><td>{}</td></tr>",
            ((each.label, each.before or "–", each.after or "–") for each in told.changes),
        )
        return format_html(
            "<table class='vault-table'><thead><tr><th scope='col'>Field</th><th scope='col'>Before</th>"
            "<th scope='col'>After</th></tr></thead><tbody>{}</tbody></table>",
            rows,
        )


def _get_told(entry: Any) -> ToldEntry:
    told: ToldEntry = entry.told
    return told
