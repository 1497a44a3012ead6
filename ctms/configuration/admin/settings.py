"""Application settings and security profiles in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from ctms.accounts.models import SecurityProfile
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.configuration.forms import ApplicationSettingsForm, SecurityProfileForm
from ctms.configuration.models import ApplicationSettings


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
