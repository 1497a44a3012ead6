"""The console page of custom fields."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponseRedirect

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.writing import get_expected_version
from ctms.configuration.admin.pages import ObjectFilter, show_object
from ctms.configuration.forms import CustomFieldForm
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field, update_custom_field
from ctms.configuration.tables import build_object_url


@admin.register(CustomField)
class CustomFieldAdmin(AuditedModelAdmin):
    """Custom fields are made inactive, never deleted, because records have values in them."""

    form = CustomFieldForm
    actions = None
    list_display = ("label", show_object, "api_name", "kind", "status")
    list_filter = (ObjectFilter, "kind", "status")
    search_fields = ("label", "api_name")

    class Media:
        js = ("custom_field.js",)

    def get_fields(self, request: HttpRequest, obj: CustomField | None = None) -> list[Any]:  # noqa: ARG002  Django's signature
        fields = ["of_object", "label", "api_name", "kind", "picklist_values", "status"]
        return fields if obj else [*fields, "add_to_layouts"]

    def get_readonly_fields(self, request: HttpRequest, obj: CustomField | None = None) -> tuple[str, ...]:  # noqa: ARG002  Django's signature
        # Values are stored by object, name and kind; after a change they could not be found or read.
        return ("of_object", "api_name", "kind") if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def write_record(self, *, record: CustomField, form: Any, actor: Actor) -> None:
        expected_version = get_expected_version(form)
        if expected_version is None:
            create_custom_field(field=record, actor=actor, add_to_layouts=form.cleaned_data["add_to_layouts"])
        else:
            update_custom_field(field=record, actor=actor, expected_version=expected_version)

    def response_post_save_add(self, request: HttpRequest, obj: CustomField) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_object_url(obj.of_object, "fields"))

    def response_post_save_change(self, request: HttpRequest, obj: CustomField) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(build_object_url(obj.of_object, "fields"))
