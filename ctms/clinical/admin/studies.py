"""The console pages of studies and of users' assignments to them. Study teams use the pages of `ctms.records`."""

from __future__ import annotations

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.clinical.forms import StudyForm
from ctms.clinical.models import Study, StudyAssignment


class StudyAssignmentInline(AuditedTabularInline):
    """Users who may see the study without a profile that sees all studies."""

    model = StudyAssignment
    fields = ("user",)
    autocomplete_fields = ("user",)
    verbose_name = "assigned user"
    verbose_name_plural = "assigned users"


@admin.register(Study)
class StudyAdmin(AuditedModelAdmin):
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
