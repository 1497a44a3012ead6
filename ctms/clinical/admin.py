"""The console pages of studies and of users' assignments to them. Study teams use the pages of `ctms.records`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, DropdownFilter

from ctms.accounts.policies import list_visible
from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.entries import AuditEntryAdmin
from ctms.audit.admin.entry_filters import is_uid
from ctms.audit.admin.pages import extend_page
from ctms.audit.admin.writing import get_user
from ctms.audit.models import AuditEntry
from ctms.clinical.forms import StudyForm
from ctms.clinical.models import Study, StudyAssignment

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from django.http import HttpRequest


class EntryStudyFilter(DropdownFilter):
    """Filters audit entries by the study that their record belonged to, among those that the user sees."""

    title = "study"
    parameter_name = "study"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002  Django's signature
        studies = list_visible(Study.objects.order_by("name"), get_user(request))
        return [(str(uid), name) for uid, name in studies.values_list("uid", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[AuditEntry]) -> QuerySet[AuditEntry]:  # noqa: ARG002  Django's signature
        return queryset.filter(study_uid=self.value()) if is_uid(self.value()) else queryset


@extend_page(AuditEntry)
class EntriesByStudy(AuditEntryAdmin):
    """Adds the filter by study to the audit trail."""

    def get_list_filter(self, request: HttpRequest) -> Any:
        return [*super().get_list_filter(request), EntryStudyFilter]


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
