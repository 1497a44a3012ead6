"""The console page of application settings."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import NoReverseMatch, reverse

from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.theme import action
from ctms.configuration.forms import ApplicationSettingsForm
from ctms.configuration.identifiers import find_identifier_problem
from ctms.configuration.models import ApplicationSettings
from ctms.configuration.selectors import get_application_settings


@admin.register(ApplicationSettings)
class ApplicationSettingsAdmin(AuditedModelAdmin):
    """The page of the application settings. There is one row, so the list redirects to its form."""

    form = ApplicationSettingsForm
    actions_detail = ("check_identifiers",)
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
        if request.method == "GET" and self.has_view_permission(request):
            for problem in list_mapping_problems(get_application_settings()):
                self.message_user(request, problem, messages.WARNING)
        return super().changeform_view(request, object_id, form_url, context)

    @action(description="Check Identifiers", url_path="check-identifiers", permissions=["view"], icon="fact_check")
    def check_identifiers(self, request: HttpRequest, object_id: str) -> HttpResponse:  # noqa: ARG002  Unfold's signature
        """Redirect to the page that checks the identifiers against the CRM, which `crm_sync` registers."""
        url = _find_check_url()
        if not url:
            raise Http404
        return HttpResponseRedirect(url)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        return super().get_actions_detail(request, object_id) if _find_check_url() else []

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not ApplicationSettings.objects.exists()

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def response_post_save_add(self, request: HttpRequest, obj: ApplicationSettings) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(self.get_change_url(obj))

    def response_post_save_change(self, request: HttpRequest, obj: ApplicationSettings) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(self.get_change_url(obj))


def _find_check_url() -> str:
    try:
        return reverse("admin:identifier_check")
    except NoReverseMatch:
        return ""


def list_mapping_problems(row: ApplicationSettings) -> list[str]:
    """Return sentences saying what is wrong with the global identifier mapping."""
    problems = []
    if problem := find_identifier_problem(row.clinical_person_identifier):
        problems.append(f"Clinical Person Identifier: {problem} Until then no person is matched by it.")
    given = {
        "Clinical Person Identifier": row.clinical_person_identifier,
        "CRM Account Identifier": row.crm_account_identifier,
    }
    missing = " and ".join(label for label, value in given.items() if not value)
    if row.enable_global_crm_mapping and missing:
        problems.append(
            f"The global mapping is enabled without {missing}: a connection that has no mapping of its own fails. "
            "Enter both identifiers."
        )
    if not row.enable_global_crm_mapping and any(given.values()):
        problems.append(
            "The identifiers below are not in force: tick Enable Global CRM Connection Identifier Mapping to use them."
        )
    return problems
