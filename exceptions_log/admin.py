"""User exceptions in the admin: read, never created by hand."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import admin
from django.db.models import Count, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter

from ctms.audit.admin.readonly import ReadOnlyModelAdmin, ReadOnlyTabularInline
from ctms.audit.admin.theme import display
from ctms.configuration.registry import UnknownObjectError, get_object
from ctms.records.values import get_record_url
from exceptions_log.models import ExceptionItem, ExceptionMessage

_STATUS_LABELS = {"Active": "danger", "Inactive": "info"}


class ItemDisplayMixin:
    """How an item's data are shown."""

    @admin.display(description="item data")
    def show_item_data(self, item: ExceptionItem) -> str:
        """The payload; long ones are folded."""
        if not item.item_data:
            return "–"
        text = json.dumps(item.item_data, indent=2, ensure_ascii=False, sort_keys=True)
        return format_html(
            "<details class='vault-details'><summary>Show</summary><pre class='vault-pre'>{}</pre></details>", text
        )


class ExceptionItemInline(ItemDisplayMixin, ReadOnlyTabularInline):
    """User Exception Items, in the prescribed order of columns."""

    model = ExceptionItem
    fields = ("name", "error_type", "error_message", "item", "show_item_data")
    per_page = 50
    show_change_link = True
    hide_title = True
    verbose_name_plural = "user exception items"


@admin.register(ExceptionMessage)
class ExceptionMessageAdmin(ReadOnlyModelAdmin):
    """One message per integration run with failures. A run at work keeps a draft, which is nobody's to read yet."""

    list_display = ("name", "connection", "integration", "show_status", "show_item_count", "created_at")
    list_filter = (
        "status",
        "connection",
        "integration__kind",
        ("items__error_type", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("connection", "integration", "run__definition")
    search_fields = ("name",)
    fields = (("name", "show_status"), ("connection", "integration"), ("run", "created_at"))
    readonly_fields = ("show_status",)
    inlines = (ExceptionItemInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExceptionMessage]:
        messages: QuerySet[ExceptionMessage] = super().get_queryset(request)
        return messages.filter(is_draft=False).annotate(item_count=Count("items"))

    @display(description="status", label=_STATUS_LABELS, ordering="status")
    def show_status(self, message: ExceptionMessage) -> str:
        return message.get_status_display()

    @display(description="items", ordering="item_count")
    def show_item_count(self, message: Any) -> int:
        return int(message.item_count)


@admin.register(ExceptionItem)
class ExceptionItemAdmin(ItemDisplayMixin, ReadOnlyModelAdmin):
    """Items of all messages."""

    list_display = ("name", "error_type", "error_message", "item", "show_item_data", "attempts", "last_failed_at")
    list_filter = (
        "message__status",
        ("error_type", ChoicesDropdownFilter),
        "message__connection",
        ("last_failed_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_per_page = 50
    search_fields = ("name", "item", "error_message")
    fields = (
        ("name", "error_type"),
        "error_message",
        ("item", "show_record"),
        "show_item_data",
        ("message", "attempts"),
        ("first_failed_at", "last_failed_at"),
        ("dismissed_at", "dismissed_by"),
        "dismissal_reason",
    )
    readonly_fields = ("show_item_data", "show_record")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExceptionItem]:
        items: QuerySet[ExceptionItem] = super().get_queryset(request)
        return items.filter(message__is_draft=False)

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
