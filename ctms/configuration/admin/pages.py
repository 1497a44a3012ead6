"""What the console pages of the configuration share: the object column and filter, and the frame of a page."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.template.response import TemplateResponse
from unfold.contrib.filters.admin import DropdownFilter

from ctms.audit.admin.theme import ModelAdmin
from ctms.configuration.registry import list_objects
from ctms.configuration.selectors import find_object


class ObjectFilter(DropdownFilter):
    """Filters rows by the object that they configure."""

    title = "object"
    parameter_name = "of_object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return sorted(((each.api_name, each.title) for each in list_objects()), key=lambda choice: choice[1])

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002  Django's signature
        return queryset.filter(of_object=self.value()) if self.value() else queryset


@admin.display(description="object", ordering="of_object")
def show_object(row: Any) -> str:
    """Return the label of the object that a row configures."""
    vault_object = find_object(row.of_object)
    return vault_object.title if vault_object else f"{row.of_object} (not registered any more)"


def render_page(
    *, model_admin: ModelAdmin, request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> TemplateResponse:
    """Return a page with a template of the Vault in the frame of the console."""
    request.current_app = model_admin.admin_site.name
    frame = {**model_admin.admin_site.each_context(request), "opts": model_admin.opts, "title": title}
    return TemplateResponse(request, template, {**frame, **context})
