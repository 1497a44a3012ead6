"""Configuration in the admin: security profiles, object types with their actions, custom fields, layouts, settings."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from unfold.contrib.filters.admin import DropdownFilter

from ctms.accounts.models import SecurityProfile
from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.configuration.forms import (
    ApplicationSettingsForm,
    CustomFieldForm,
    ObjectNameForm,
    ObjectTypeActionForm,
    SecurityProfileForm,
    list_object_choices,
)
from ctms.configuration.models import (
    ApplicationSettings,
    CustomField,
    LayoutSection,
    ObjectType,
    ObjectTypeAction,
    ObjectTypeField,
    PageLayout,
)
from ctms.configuration.registry import UnknownObjectError, get_object


class ObjectFilter(DropdownFilter):
    """The object that a row configures."""

    title = "object"
    parameter_name = "of_object"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        return list_object_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:  # noqa: ARG002  Django's signature
        return queryset.filter(of_object=self.value()) if self.value() else queryset


class ObjectTypeFieldInline(AuditedTabularInline):
    model = ObjectTypeField
    fields = ("field_name", "is_required")
    verbose_name_plural = "object type fields"


class ObjectTypeActionInline(AuditedTabularInline):
    """The actions that are offered on records of the type; those not listed are not offered."""

    model = ObjectTypeAction
    form = ObjectTypeActionForm
    fields = ("action_name",)
    verbose_name = "action"
    verbose_name_plural = "actions"

    def get_max_num(self, request: HttpRequest, obj: ObjectType | None = None, **kwargs: Any) -> int:  # noqa: ARG002  Django's signature
        return len(list_actions(obj))

    def get_formset(self, request: HttpRequest, obj: ObjectType | None = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.offered = list_actions(obj)
        return formset


def list_actions(object_type: ObjectType | None) -> dict[str, str]:
    """The registered actions of a type's object, by API name."""
    try:
        return dict(get_object(object_type.of_object).actions) if object_type else {}
    except UnknownObjectError:
        return {}


@admin.register(ObjectType)
class ObjectTypeAdmin(AuditedModelAdmin):
    """Object types are delivered with their objects: they can be renamed and switched off, not added or deleted."""

    list_display = ("label", "of_object", "api_name", "status")
    list_filter = (ObjectFilter, "status")
    search_fields = ("label", "api_name", "of_object")
    readonly_fields = ("of_object", "api_name")
    fields = ("of_object", "api_name", "label", "status")
    inlines = (ObjectTypeActionInline, ObjectTypeFieldInline)

    def get_inlines(self, request: HttpRequest, obj: ObjectType | None) -> list[Any]:  # noqa: ARG002  Django's signature
        return [ObjectTypeActionInline, ObjectTypeFieldInline] if list_actions(obj) else [ObjectTypeFieldInline]

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False


@admin.register(CustomField)
class CustomFieldAdmin(AuditedModelAdmin):
    form = CustomFieldForm
    list_display = ("label", "of_object", "api_name", "kind", "status")
    list_filter = (ObjectFilter, "kind", "status")
    search_fields = ("label", "api_name")

    def get_readonly_fields(self, request: HttpRequest, obj: CustomField | None = None) -> tuple[str, ...]:  # noqa: ARG002  Django's signature
        # Values are stored under these: changing them would orphan the values.
        return ("of_object", "api_name", "kind") if obj else ()


class LayoutSectionInline(AuditedTabularInline):
    model = LayoutSection
    fields = ("position", "kind", "title", "related_object", "related_field", "items", "prevent_creation")


@admin.register(PageLayout)
class PageLayoutAdmin(AuditedModelAdmin):
    form = ObjectNameForm
    list_display = ("name", "of_object", "object_type")
    list_filter = (ObjectFilter,)
    search_fields = ("name", "of_object")
    inlines = (LayoutSectionInline,)


@admin.register(ApplicationSettings)
class ApplicationSettingsAdmin(AuditedModelAdmin):
    """One row: its list leads to its form."""

    form = ApplicationSettingsForm
    fieldsets = (
        (
            "Clinical Operations to Medical CRM Connection",
            {
                "fields": ("enable_global_crm_mapping", "clinical_person_identifier", "crm_account_identifier"),
                "description": (
                    "A person and an account are the same when these two fields have the same value, compared exactly. "
                    "A connection's own CRM Connection Identifier Mapping wins over these. Where neither is given, the "
                    "connection fails with a user exception."
                ),
            },
        ),
    )

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:  # noqa: ARG002  Django's signature
        row = ApplicationSettings.objects.first()
        name = "admin:configuration_applicationsettings_"
        return HttpResponseRedirect(reverse(f"{name}change", args=(row.pk,)) if row else reverse(f"{name}add"))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        context = {"show_save_and_add_another": False, "show_save_and_continue": False, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not ApplicationSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def response_post_save_add(self, request: HttpRequest, obj: ApplicationSettings) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(self.get_change_url(obj))

    def response_post_save_change(self, request: HttpRequest, obj: ApplicationSettings) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(self.get_change_url(obj))


@admin.register(SecurityProfile)
class SecurityProfileAdmin(AuditedModelAdmin):
    """Here, not on the floor of its model: its permissions are named by the object registry."""

    form = SecurityProfileForm
    list_display = ("name", "api_name", "status", "sees_all_studies")
    list_filter = ("status", "sees_all_studies")
    search_fields = ("name", "api_name")
    fields = ("name", "api_name", "status", "description", "sees_all_studies", "permissions")
