"""The console page of object types."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect

from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.configuration.admin.pages import ObjectFilter, show_object
from ctms.configuration.forms import ObjectTypeForm
from ctms.configuration.models import ObjectType
from ctms.configuration.selectors import find_object
from ctms.configuration.services import decide_fields
from ctms.configuration.tables import build_object_url


@admin.register(ObjectType)
class ObjectTypeAdmin(AuditedModelAdmin):
    """Object types are registered with their objects: admins rename or deactivate them, but add or delete none."""

    form = ObjectTypeForm
    actions = None
    list_display = ("label", show_object, "api_name", "status")
    list_filter = (ObjectFilter, "status")
    search_fields = ("label", "api_name", "of_object")
    readonly_fields = ("of_object", "api_name")

    def get_fieldsets(self, request: HttpRequest, obj: ObjectType | None = None) -> Any:  # noqa: ARG002  Django's signature
        about = (None, {"fields": ("of_object", "api_name", "label", "status")})
        if obj is None or find_object(obj.of_object) is None:
            return (about,)
        description = (
            "A field that is not assigned is on no page, form or list of records of this type; its values stay. "
            "Fields that every record has, or that the object itself requires, are always assigned."
        )
        return (about, ("Object type fields", {"fields": ("type_fields",), "description": description}))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def write_record(self, *, record: ObjectType, form: Any, actor: Actor) -> None:
        with transaction.atomic():
            super().write_record(record=record, form=form, actor=actor)
            decide_fields(object_type=record, decisions=form.list_decisions(), actor=actor)

    def response_post_save_change(self, request: HttpRequest, obj: ObjectType) -> HttpResponseRedirect:
        if find_object(obj.of_object) is None:
            return super().response_post_save_change(request, obj)
        return HttpResponseRedirect(build_object_url(obj.of_object, "types"))
