"""User Exception Items in the admin: what failed, why, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from connections.admin.filters import IntegrationFilter
from ctms.accounts.policies import has_permission
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import get_user
from ctms.audit.choices import AUDIT_PERMISSION
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.records.addresses import get_record_url
from exceptions_log.admin.filters import AgeFilter, ProblemFilter, ShownFilter, SiteFilter
from exceptions_log.admin.shown import ItemDisplayMixin, build_items_url
from exceptions_log.models import OPEN, ExceptionItem
from exceptions_log.problems import Problem, list_problems
from exceptions_log.remedies import describe_remedy

if TYPE_CHECKING:
    from django.http import HttpRequest

_PROBLEMS_SHOWN = 20
_FAILING, _DISMISSED, _RESOLVED = "Failing", "Dismissed", "Resolved"


@dataclass(slots=True, kw_only=True)
class ProblemsPanel:
    """What stands above the list: problems, how many `more` there are, and whether the user may act on them."""

    rows: list[Problem]
    more: int
    may_act: bool = False


@register_page(ExceptionItem)
class ExceptionItemAdmin(ItemDisplayMixin, ReadOnlyModelAdmin):
    """Lists the items of all messages, by default those that fail now."""

    # The first five in the order of the requirement documents.
    list_display = (
        "name",
        "error_type",
        "error_message",
        "item",
        "show_item_data",
        "show_state",
        "show_connection",
        "last_failed_at",
    )
    list_filter = (
        ShownFilter,
        ProblemFilter,
        SiteFilter,
        ("message__connection", RelatedDropdownFilter),
        ("message__integration__kind", IntegrationFilter),
        ("error_type", ChoicesDropdownFilter),
        AgeFilter,
    )
    list_filter_submit = True
    list_before_template = "admin/exceptions_log/problems.html"
    list_per_page = 50
    list_select_related = ("message__connection", "message__job")
    linked_lookups = ("message__id__exact", "record_uid__exact")
    search_fields = ("name", "item", "error_message", "crm_id__exact", "key__exact")
    search_help_text = "Name of the item or its record, error message, or a whole CRM id or record UID"
    readonly_fields = (
        "show_state",
        "show_remedy",
        "show_problem",
        "show_resolving_run",
        "show_item_data",
        "show_record",
        "show_record_uid",
        "show_connection",
    )

    def get_fieldsets(self, request: HttpRequest, obj: ExceptionItem | None = None) -> Any:  # noqa: ARG002  Django's signature
        sections: list[Any] = [
            (
                None,
                {
                    "fields": (
                        ("name", "show_state"),
                        ("error_type", "show_connection"),
                        "error_message",
                        "show_problem",
                        "show_remedy",
                    )
                },
            ),
            ("Record", {"fields": (("item", "show_record"), ("show_record_uid", "crm_id"), "show_item_data")}),
            ("History", {"fields": (("message", "attempts"), ("first_failed_at", "last_failed_at"))}),
        ]
        if obj is not None and obj.resolved_at is not None:
            sections[-1][1]["fields"] += (("resolved_at", "show_resolving_run"),)
        if obj is not None and obj.dismissed_at is not None:
            sections.insert(1, ("Dismissal", {"fields": (("dismissed_at", "dismissed_by"), "dismissal_reason")}))
        return sections

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return the page of the list, with the problems that its failing items have in common."""
        changelist: Any = super().get_changelist_instance(request)
        problems = list_problems(changelist.queryset.filter(OPEN))
        is_of_use = ProblemFilter.parameter_name in request.GET or any(problem.count > 1 for problem in problems)
        changelist.problems = ProblemsPanel(
            rows=problems[:_PROBLEMS_SHOWN] if is_of_use else [], more=len(problems[_PROBLEMS_SHOWN:])
        )
        return changelist

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Show Django's page with a link to the item's entries in the audit trail."""
        context = {"audit_trail_url": self._get_audit_trail_url(request, object_id), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def _get_audit_trail_url(self, request: HttpRequest, object_id: str | None) -> str:
        item = self.get_object(request, object_id or "")
        if item is None or not has_permission(user=get_user(request), permission=AUDIT_PERMISSION):
            return ""
        return f"{reverse('admin:audit_auditentry_changelist')}?record_uid__exact={item.uid}"

    @display(description="state", label={_FAILING: "danger", _DISMISSED: "warning", _RESOLVED: "info"})
    def show_state(self, item: ExceptionItem) -> str:
        if item.is_dismissed:
            return _DISMISSED
        return _FAILING if item.is_open else _RESOLVED

    @admin.display(description="connection", ordering="message__connection")
    def show_connection(self, item: ExceptionItem) -> str:
        return str(item.message.connection or item.message.job)

    @admin.display(description="problem")
    def show_problem(self, item: ExceptionItem) -> str:
        """Return the cause, with a link to the open items that have the same; their list says how many are seen."""
        if not item.is_open or not item.cause:
            return item.cause or "–"
        url = build_items_url(problem=item.pk)
        return format_html("{} <a class='vault-link' href='{}'>All items of this problem</a>", item.cause, url)

    @admin.display(description="what to do")
    def show_remedy(self, item: ExceptionItem) -> str:
        return describe_remedy(item)

    @admin.display(description="resolved by run")
    def show_resolving_run(self, item: ExceptionItem) -> str:
        """Return a link to the run in which it failed no more."""
        if item.resolved_by_id is None:
            return "–"
        url = reverse("admin:jobs_jobrun_change", args=(item.resolved_by_id,))
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, item.resolved_by)

    @admin.display(description="record UID")
    def show_record_uid(self, item: ExceptionItem) -> str:
        return str(item.record_uid or "–")

    @admin.display(description="record")
    def show_record(self, item: ExceptionItem) -> str:
        """Return a link to the record that failed."""
        try:
            model = get_object(item.record_object).model
        except UnknownObjectError:
            return "–"
        if item.record_uid is None:
            return "–"
        record = model._base_manager.filter(uid=item.record_uid).first()
        if record is None:
            return "Deleted in the Vault"
        return format_html("<a class='vault-link' href='{}'>{}</a>", get_record_url(record), record)
