"""User Exception Items: what failed, why, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from connections.admin.filters import IntegrationFilter
from ctms.accounts.policies import has_permission
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import AUDIT_PERMISSION, get_user
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.records.values import get_record_url
from exceptions_log.admin.filters import AgeFilter, ShownFilter
from exceptions_log.admin.shown import ItemDisplayMixin
from exceptions_log.models import ExceptionItem
from exceptions_log.remedies import describe_remedy

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

_FAILING, _DISMISSED, _EARLIER = "Failing", "Dismissed", "Earlier run"


@admin.register(ExceptionItem)
class ExceptionItemAdmin(ItemDisplayMixin, ReadOnlyModelAdmin):
    """Items of all messages; those that fail now unless others are asked for."""

    # The first five in the order that the requirement documents prescribe.
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
        ("message__connection", RelatedDropdownFilter),
        ("message__integration__kind", IntegrationFilter),
        ("error_type", ChoicesDropdownFilter),
        AgeFilter,
    )
    list_filter_submit = True
    list_per_page = 50
    list_select_related = ("message__connection", "message__job")
    search_fields = ("name", "item", "error_message", "crm_id__exact", "key__exact")
    search_help_text = "Name of the item or its record, error message, or a whole CRM id or record UID"
    readonly_fields = (
        "show_state",
        "show_remedy",
        "show_item_data",
        "show_record",
        "show_record_uid",
        "show_connection",
    )

    def get_fieldsets(self, request: HttpRequest, obj: ExceptionItem | None = None) -> Any:  # noqa: ARG002  Django's signature
        sections: list[Any] = [
            (
                None,
                {"fields": (("name", "show_state"), ("error_type", "show_connection"), "error_message", "show_remedy")},
            ),
            ("Record", {"fields": (("item", "show_record"), ("show_record_uid", "crm_id"), "show_item_data")}),
            ("History", {"fields": (("message", "attempts"), ("first_failed_at", "last_failed_at"))}),
        ]
        if obj is not None and obj.dismissed_at is not None:
            dates = (
                ("dismissed_at", "dismissed_by")
                if obj.is_dismissed
                else ("dismissed_at", "dismissed_by", "dismissal_lapsed_at")
            )
            sections.insert(1, ("Dismissal", {"fields": (dates, "dismissal_reason")}))
        return sections

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExceptionItem]:
        items: QuerySet[ExceptionItem] = super().get_queryset(request)
        return items.filter(message__is_draft=False)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """As Django's, with the way to the item's entries in the audit trail."""
        context = {"audit_trail_url": self._get_audit_trail_url(request, object_id), **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def _get_audit_trail_url(self, request: HttpRequest, object_id: str | None) -> str:
        item = self.get_object(request, object_id or "")
        if item is None or not has_permission(user=get_user(request), permission=AUDIT_PERMISSION):
            return ""
        return f"{reverse('admin:audit_auditentry_changelist')}?record_uid__exact={item.uid}"

    @display(description="state", label={_FAILING: "danger", _DISMISSED: "warning", _EARLIER: "info"})
    def show_state(self, item: ExceptionItem) -> str:
        if item.is_dismissed:
            return _DISMISSED
        return _FAILING if item.is_open else _EARLIER

    @admin.display(description="connection", ordering="message__connection")
    def show_connection(self, item: ExceptionItem) -> str:
        return str(item.message.connection or item.message.job)

    @admin.display(description="what to do")
    def show_remedy(self, item: ExceptionItem) -> str:
        return describe_remedy(item)

    @admin.display(description="record UID")
    def show_record_uid(self, item: ExceptionItem) -> str:
        return str(item.record_uid or "–")

    @admin.display(description="record")
    def show_record(self, item: ExceptionItem) -> str:
        """The way to the record that failed."""
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
