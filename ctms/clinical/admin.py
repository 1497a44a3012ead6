"""The console pages of studies and of users' assignments to them. Study teams use the pages of `ctms.records`."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from ctms.accounts.policies import list_visible
from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.writing import get_user
from ctms.clinical.forms import StudyForm
from ctms.clinical.models import Study, StudyAssignment
from ctms.configuration.registry import get_object_of_model


class StudyScopeMixin:
    """Limits the list and the choices of an admin page to the studies that the user may see."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset: models.QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return list_visible(queryset, get_user(request))

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> models.QuerySet[Any] | None:
        queryset: models.QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        related: type[models.Model] = db_field.remote_field.model
        if get_object_of_model(related) is None:
            return queryset
        return list_visible(queryset if queryset is not None else related._default_manager.all(), get_user(request))


class StudyAssignmentInline(StudyScopeMixin, AuditedTabularInline):
    """Users who may see the study without a profile that sees all studies."""

    model = StudyAssignment
    fields = ("user",)
    autocomplete_fields = ("user",)
    verbose_name = "assigned user"
    verbose_name_plural = "assigned users"


@admin.register(Study)
class StudyAdmin(StudyScopeMixin, AuditedModelAdmin):
    form = StudyForm
    list_display = ("name", "study_name", "phase", "lifecycle_state", "sponsor", "send_to_crm", "status")
    list_filter = (
        ("phase", ChoicesDropdownFilter),
        ("lifecycle_state", ChoicesDropdownFilter),
        "status",
        "send_to_crm",
    )
    search_fields = ("name", "study_name", "sponsor")
    search_help_text = "Study number, name or sponsor"
    inlines = (StudyAssignmentInline,)
    fieldsets = (
        (
            None,
            {"fields": (("name", "study_name"), "protocol_title", ("phase", "lifecycle_state"), "sponsor", "status")},
        ),
        ("Dates", {"fields": (("planned_start", "planned_end"), ("actual_start", "actual_end"))}),
        ("Medical CRM", {"fields": ("send_to_crm", "external_id")}),
    )


@admin.register(StudyAssignment)
class StudyAssignmentAdmin(AuditedModelAdmin):
    list_display = ("user", "study", "created_at", "created_by")
    list_filter = (("study", AutocompleteSelectFilter),)
    list_select_related = ("user", "study", "created_by")
    search_fields = ("user__username", "user__last_name", "study__name")
    autocomplete_fields = ("user", "study")
    fields = ("user", "study")
