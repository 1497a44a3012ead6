"""User Exception Messages, shown as their page layout says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count, Q
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter, RelatedDropdownFilter

from connections.admin.filters import IntegrationFilter
from ctms.audit.admin.readonly import ReadOnlyModelAdmin, ReadOnlyTabularInline
from ctms.audit.admin.theme import display
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import LayoutShape, load_configuration
from ctms.configuration.tables import build_object_url
from exceptions_log.admin.shown import ItemDisplayMixin, build_items_url
from exceptions_log.models import ExceptionItem, ExceptionMessage

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest

    from ctms.configuration.snapshot import SectionShape

_STATUS_LABELS = {"Active": "danger", "Inactive": "info"}
# What is shown in a way of its own, by the attribute that a layout's field stands for.
_MESSAGE_FIELDS = {"status": "show_status"}
_ITEM_FIELDS = {"name": "show_name", "item_data": "show_item_data"}
_IN_FORCE_OF_MESSAGE = Q(items__dismissed_at__isnull=False, items__dismissal_lapsed_at__isnull=True)


class ExceptionItemInline(ItemDisplayMixin, ReadOnlyTabularInline):
    """Items of a message; its columns are those of the layout."""

    model = ExceptionItem
    per_page = 50
    hide_title = True


def build_item_inline(section: SectionShape) -> type[ExceptionItemInline]:
    """The table of a section of User Exception Items: its title, and its columns in the layout's order."""
    item = get_object(ExceptionItem.object_name)
    attributes = [item.get_field(name).attribute for name in section.columns]
    fields = tuple(_ITEM_FIELDS.get(attribute, attribute) for attribute in attributes)
    return type(
        "ConfiguredItemInline", (ExceptionItemInline,), {"fields": fields, "verbose_name_plural": section.title}
    )


@admin.register(ExceptionMessage)
class ExceptionMessageAdmin(ReadOnlyModelAdmin):
    """One message per integration run with failures. A run at work keeps a draft, which is nobody's to read yet."""

    list_display = ("name", "connection", "integration", "show_status", "show_item_count", "created_at")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("connection", RelatedDropdownFilter),
        ("integration__kind", IntegrationFilter),
        ("items__error_type", ChoicesDropdownFilter),
        ("created_at", RangeDateTimeFilter),
    )
    list_filter_submit = True
    list_select_related = ("connection", "integration", "run__definition")
    search_fields = ("name",)
    readonly_fields = ("show_status", "show_items", "show_run")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ExceptionMessage]:
        messages: QuerySet[ExceptionMessage] = super().get_queryset(request)
        return messages.filter(is_draft=False).annotate(
            item_count=Count("items"), dismissed_count=Count("items", filter=_IN_FORCE_OF_MESSAGE)
        )

    def get_fieldsets(self, request: HttpRequest, obj: ExceptionMessage | None = None) -> Any:  # noqa: ARG002  Django's signature
        """The layout's sections of fields, and what became of the run."""
        sections = [
            (
                section.title,
                {"fields": tuple(_MESSAGE_FIELDS.get(each.attribute, each.attribute) for each in section.fields)},
            )
            for section in _read_layout().sections
            if section.fields
        ]
        return [*sections, ("Run", {"fields": ("show_items", "show_run")})]

    def get_inlines(self, request: HttpRequest, obj: ExceptionMessage | None) -> list[Any]:  # noqa: ARG002  Django's signature
        """The layout's sections of items: none until an admin adds one."""
        return [build_item_inline(section) for section in _list_item_sections()]

    @display(description="status", label=_STATUS_LABELS, ordering="status")
    def show_status(self, message: ExceptionMessage) -> str:
        return message.get_status_display()

    @display(description="items", ordering="item_count")
    def show_item_count(self, message: Any) -> int:
        return int(message.item_count)

    @admin.display(description="items")
    def show_items(self, message: Any) -> str:
        """How many, the way to their list, and, while the layout shows none, where that is changed."""
        failed = message.item_count - message.dismissed_count
        counts = f"{failed} failed" + (f", {message.dismissed_count} dismissed" if message.dismissed_count else "")
        url = build_items_url(message__id__exact=message.pk, shown="all")
        link = format_html("<a class='vault-link' href='{}'>{}</a>", url, counts)
        if _list_item_sections():
            return link
        return format_html(
            "{}. The page layout of User Exception Message has no section of User Exception Items, so this page does "
            "not show them. <a class='vault-link' href='{}'>Add the section</a>.",
            link,
            build_object_url(ExceptionMessage.object_name, "layouts"),
        )

    @admin.display(description="job run")
    def show_run(self, message: ExceptionMessage) -> str:
        """The way to the run's entry in Job Status."""
        url = reverse("admin:jobs_jobrun_change", args=(message.run_id,))
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, message.run)


def _read_layout() -> LayoutShape:
    return load_configuration().get(ExceptionMessage.object_name).get_layout("")


def _list_item_sections() -> list[SectionShape]:
    sections = _read_layout().sections
    return [each for each in sections if each.related is not None and each.related.model is ExceptionItem]
