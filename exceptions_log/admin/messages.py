"""User Exception Messages in the admin, shown according to their page layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Count
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter

from connections.admin.filters import IntegrationFilter
from ctms.audit.admin.filters import MomentFilter
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.readonly import ReadOnlyModelAdmin, ReadOnlyTabularInline
from ctms.audit.admin.theme import display
from ctms.configuration.registry import get_object
from ctms.configuration.snapshot import LayoutShape, load_configuration
from ctms.configuration.tables import build_object_url
from exceptions_log.admin.shown import ItemDisplayMixin, build_items_url
from exceptions_log.models import DISMISSED, RESOLVED, ExceptionItem, ExceptionMessage

if TYPE_CHECKING:
    from django.http import HttpRequest

    from ctms.configuration.snapshot import SectionShape

_STATUS_LABELS = {"Active": "danger", "Inactive": "info"}
# Display methods for attributes that the admin does not show by default.
_MESSAGE_FIELDS = {"status": "show_status"}
_ITEM_FIELDS = {"name": "show_name", "item_data": "show_item_data"}


class ExceptionItemInline(ItemDisplayMixin, ReadOnlyTabularInline):
    """The items of a message, with the columns of the layout."""

    model = ExceptionItem
    per_page = 50
    hide_title = True


def build_item_inline(section: SectionShape) -> type[ExceptionItemInline]:
    """Build the inline for a section of User Exception Items, with its title and its columns in order."""
    item = get_object(ExceptionItem.object_name)
    attributes = [item.get_field(name).attribute for name in section.columns]
    fields = tuple(_ITEM_FIELDS.get(attribute, attribute) for attribute in attributes)
    return type(
        "ConfiguredItemInline", (ExceptionItemInline,), {"fields": fields, "verbose_name_plural": section.title}
    )


@register_page(ExceptionMessage)
class ExceptionMessageAdmin(ReadOnlyModelAdmin):
    """Lists messages, one per run with failures."""

    list_display = ("name", "connection", "integration", "show_status", "failed_count", "created_at")
    list_filter = (
        ("status", ChoicesDropdownFilter),
        ("connection", RelatedDropdownFilter),
        ("integration__kind", IntegrationFilter),
        ("items__error_type", ChoicesDropdownFilter),
        ("created_at", MomentFilter),
    )
    list_filter_submit = True
    list_select_related = ("connection", "integration", "run__definition")
    search_fields = ("name",)
    readonly_fields = ("show_status", "show_items", "show_run")

    def get_fieldsets(self, request: HttpRequest, obj: ExceptionMessage | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Return the layout's sections of fields, and one about the run."""
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
        """Return an inline for each of the layout's sections of items; there is none until an admin adds one."""
        return [build_item_inline(section) for section in _list_item_sections()]

    @display(description="status", label=_STATUS_LABELS, ordering="status")
    def show_status(self, message: ExceptionMessage) -> str:
        return message.get_status_display()

    @admin.display(description="items")
    def show_items(self, message: ExceptionMessage) -> str:
        """Return the numbers of items with a link to their list, and one to the layout if it lacks their section."""
        left = message.items.aggregate(
            all=Count("pk"), dismissed=Count("pk", filter=DISMISSED), resolved=Count("pk", filter=RESOLVED)
        )
        told = [f"{message.failed_count:,} failed"]
        told += [f"{left[state]:,} {state}" for state in ("dismissed", "resolved") if left[state]]
        if (gone_on := message.failed_count - left["all"]) > 0:
            told.append(f"{gone_on:,} failed again and are in a later message")
        counts = ", ".join(told)
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
        """Return a link to the run in Job Status."""
        url = reverse("admin:jobs_jobrun_change", args=(message.run_id,))
        return format_html("<a class='vault-link' href='{}'>{}</a>", url, message.run)


def _read_layout() -> LayoutShape:
    return load_configuration().get(ExceptionMessage.object_name).get_layout("")


def _list_item_sections() -> list[SectionShape]:
    sections = _read_layout().sections
    return [each for each in sections if each.related is not None and each.related.model is ExceptionItem]
