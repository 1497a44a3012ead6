"""The console pages of studies and of users' assignments to them. Study teams use the pages of `ctms.records`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter

from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import get_user
from ctms.clinical.admin.hand_over import tell_waiting
from ctms.clinical.assignments import describe_state
from ctms.clinical.forms import StudyAssignmentForm, StudyForm
from ctms.clinical.models import Study, StudyAssignment

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

_LIMITS = ("study_country", "site")
_LIMITS_LATER = (
    "To limit the assignment to a country or a site, enter it on the page of the study, or save it here with a first "
    "day that is yet to come and choose the limit then."
)


class StudyAssignmentInline(AuditedTabularInline):
    """Users who may see the study without a profile that sees all studies."""

    model = StudyAssignment
    form = StudyAssignmentForm
    fields = ("user", "role", *_LIMITS, "valid_from", "valid_until")
    autocomplete_fields = ("user",)
    verbose_name = "assigned user"
    verbose_name_plural = "assigned users"

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        formset: Any = super().get_formset(request, obj, **kwargs)
        formset.form.giver = get_user(request)
        _offer_limits(formset.form, study=obj)
        return formset


class AskingForHandOver(AuditedModelAdmin):
    """A page with assignments, which asks for the hand-over of what their users do not see any more."""

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        tell_waiting(request)
        return super().response_change(request, obj)

    def response_delete(self, request: HttpRequest, obj_display: str, obj_id: int) -> HttpResponse:
        tell_waiting(request)
        return super().response_delete(request, obj_display, obj_id)


@admin.register(Study)
class StudyAdmin(AskingForHandOver):
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
class StudyAssignmentAdmin(AskingForHandOver):
    """The page of an assignment. Countries and sites are offered once it is known of which study."""

    form = StudyAssignmentForm
    list_display = ("user", "study", "role", "study_country", "site", "valid_from", "valid_until", "show_state")
    list_filter = (("study", AutocompleteSelectFilter), ("user", AutocompleteSelectFilter), "role")
    list_select_related = ("user", "study", "study_country", "site")
    search_fields = ("user__username", "user__last_name", "study__name")
    autocomplete_fields = ("user", "study")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:  # noqa: ARG002  Django's signature
        """Return the fields; those of a new assignment have no limit, and say where one is chosen."""
        days = ("valid_from", "valid_until")
        if obj is None:
            return [(None, {"fields": ("user", "study", "role", days), "description": _LIMITS_LATER})]
        return [(None, {"fields": ("user", "study", "role", _LIMITS, days)})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Return the study of a stored assignment, to which its country or site belongs."""
        return [*super().get_readonly_fields(request, obj), *(["study"] if obj is not None else [])]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:  # noqa: FBT001, FBT002  Django's signature
        form: Any = super().get_form(request, obj, change, **kwargs)
        form.giver = get_user(request)
        _offer_limits(form, study=obj.study if obj is not None else None)
        return form

    @display(description="state")
    def show_state(self, assignment: StudyAssignment) -> str:
        """Say whether the assignment is in force today."""
        return describe_state(assignment)


def _offer_limits(form: Any, *, study: Study | None) -> None:
    """Offer in a form class the countries and sites of the study alone."""
    for name in _LIMITS:
        if name in form.base_fields:
            field = form.base_fields[name]
            field.empty_label = "All"
            field.queryset = field.queryset.filter(study=study) if study is not None else field.queryset.none()
