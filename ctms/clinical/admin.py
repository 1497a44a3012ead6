"""Clinical objects in the admin: records of the user's studies, and no other study's records to choose from."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.contrib.filters.admin import AutocompleteSelectFilter, ChoicesDropdownFilter, RangeDateFilter

from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.writing import get_user
from ctms.clinical.access import find_study_path, limit_to_visible_studies
from ctms.clinical.forms import (
    FilledStudyForm,
    MonitoringEventForm,
    PersonForm,
    StudyCommunicationForm,
    StudyForm,
    StudySiteForm,
)
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyAssignment,
    StudyCommunicationContact,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.configuration.registry import get_object


class StudyScopeMixin:
    """Reads and offers only what the user's studies hold."""

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        queryset: models.QuerySet[Any] = super().get_queryset(request)  # type: ignore[misc]
        return limit_to_visible_studies(queryset=queryset, user=get_user(request))

    def get_field_queryset(self, db: str | None, db_field: Any, request: HttpRequest) -> models.QuerySet[Any] | None:
        queryset: models.QuerySet[Any] | None = super().get_field_queryset(db, db_field, request)  # type: ignore[misc]
        related: type[models.Model] = db_field.remote_field.model
        if not find_study_path(related):
            return queryset
        return limit_to_visible_studies(
            queryset=queryset if queryset is not None else related._default_manager.all(), user=get_user(request)
        )


class StudyScopedAdmin(StudyScopeMixin, AuditedModelAdmin):
    """Records that belong to a study."""


class StudyScopedInline(StudyScopeMixin, AuditedTabularInline):
    """Child records that belong to a study."""


class StudyAssignmentInline(StudyScopedInline):
    """Users who see the study although their profile does not see all."""

    model = StudyAssignment
    fields = ("user",)
    autocomplete_fields = ("user",)
    verbose_name = "assigned user"
    verbose_name_plural = "assigned users"


@admin.register(Study)
class StudyAdmin(StudyScopedAdmin):
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


@admin.register(StudyCountry)
class StudyCountryAdmin(StudyScopedAdmin):
    list_display = ("name", "study", "country", "status")
    list_filter = (("study", AutocompleteSelectFilter), "status")
    list_select_related = ("study",)
    search_fields = ("name", "country", "study__name")
    autocomplete_fields = ("study",)
    fields = ("study", "country", "status", "external_id")


@admin.register(StudySite)
class StudySiteAdmin(StudyScopedAdmin):
    form = StudySiteForm
    list_display = (
        "name",
        "site_name",
        "study",
        "study_country",
        "principal_investigator",
        "lifecycle_state",
        "send_to_crm",
        "status",
    )
    list_filter = (
        ("study", AutocompleteSelectFilter),
        ("lifecycle_state", ChoicesDropdownFilter),
        "status",
        "send_to_crm",
    )
    list_select_related = ("study", "study_country", "principal_investigator")
    search_fields = ("name", "site_name", "study__name", "city")
    search_help_text = "Site number or name, study number, city"
    autocomplete_fields = ("study", "study_country", "principal_investigator")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("study_country", "study"),
                    ("name", "site_name"),
                    "principal_investigator",
                    ("lifecycle_state", "status"),
                )
            },
        ),
        ("Address", {"fields": (("city", "address_country"),)}),
        ("Medical CRM", {"fields": ("send_to_crm", "external_id")}),
    )


@admin.register(Person)
class PersonAdmin(AuditedModelAdmin):
    """Persons belong to no study: whoever may read persons reads them all."""

    form = PersonForm
    list_display = ("name", "object_type_label", "email", "phone", "npi", "external_id", "status")
    list_filter = ("status",)
    search_fields = ("first_name", "last_name", "email", "npi", "external_id", "person_identifier")
    search_help_text = "Name, e-mail or an identifier"
    fieldsets = (
        (None, {"fields": ("record_type", ("first_name", "last_name"), "email", ("phone", "language"), "status")}),
        (
            "Identifiers",
            {
                "fields": (("external_id", "npi"), "person_identifier"),
                "description": "Application Settings say which one matches the person with an account of the CRM.",
            },
        ),
    )

    @admin.display(description="object type", ordering="object_type")
    def object_type_label(self, person: Person) -> str:
        return get_type_label(person)


@admin.register(StudyPerson)
class StudyPersonAdmin(StudyScopedAdmin):
    form = FilledStudyForm
    list_display = ("person", "team_role", "study", "study_country", "site", "start_date", "end_date", "status")
    list_filter = (("study", AutocompleteSelectFilter), ("team_role", ChoicesDropdownFilter), "status")
    list_select_related = ("person", "study", "study_country", "site")
    search_fields = ("name", "person__last_name", "person__first_name", "study__name")
    autocomplete_fields = ("person", "study", "study_country", "site")
    fields = (
        "person",
        "team_role",
        "site",
        ("study_country", "study"),
        ("start_date", "end_date"),
        ("status", "external_id"),
    )


class ParticipantInline(StudyScopedInline):
    model = MonitoringEventParticipant
    fields = ("person", "role")
    autocomplete_fields = ("person",)


@admin.register(MonitoringEvent)
class MonitoringEventAdmin(StudyScopedAdmin):
    form = MonitoringEventForm
    list_display = ("name", "object_type_label", "site", "study", "planned_start", "lifecycle_state", "status")
    list_filter = (
        ("study", AutocompleteSelectFilter),
        ("lifecycle_state", ChoicesDropdownFilter),
        ("planned_start", RangeDateFilter),
        "status",
    )
    list_select_related = ("study", "study_country", "site")
    search_fields = ("name", "site__name", "site__site_name", "study__name")
    autocomplete_fields = ("study", "study_country", "site")
    inlines = (ParticipantInline,)
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("record_type", "lifecycle_state"),
                    ("site", "visit_method"),
                    ("study_country", "study"),
                    ("status", "external_id"),
                )
            },
        ),
        ("Dates", {"fields": (("planned_start", "planned_end"), ("actual_start", "actual_end"))}),
    )

    @admin.display(description="object type", ordering="object_type")
    def object_type_label(self, event: MonitoringEvent) -> str:
        return get_type_label(event)


class ContactInline(StudyScopedInline):
    model = StudyCommunicationContact
    fields = ("person",)
    autocomplete_fields = ("person",)
    verbose_name = "contact person"
    verbose_name_plural = "contact persons"


@admin.register(StudyCommunicationLog)
class StudyCommunicationLogAdmin(StudyScopedAdmin):
    form = StudyCommunicationForm
    list_display = ("name", "object_type_label", "study", "site", "date", "direction", "status")
    list_filter = (
        ("study", AutocompleteSelectFilter),
        ("direction", ChoicesDropdownFilter),
        ("date", RangeDateFilter),
        "status",
    )
    list_select_related = ("study", "study_country", "site")
    search_fields = ("name", "subject", "study__name")
    autocomplete_fields = ("study", "study_country", "site")
    inlines = (ContactInline,)
    fields = (
        ("record_type", "direction"),
        ("date", "site"),
        ("study_country", "study"),
        "subject",
        "summary",
        ("status", "external_id"),
    )

    @admin.display(description="object type", ordering="object_type")
    def object_type_label(self, communication: StudyCommunicationLog) -> str:
        return get_type_label(communication)


@admin.register(StudyAssignment)
class StudyAssignmentAdmin(AuditedModelAdmin):
    list_display = ("user", "study", "created_at", "created_by")
    list_filter = (("study", AutocompleteSelectFilter),)
    list_select_related = ("user", "study", "created_by")
    search_fields = ("user__username", "user__last_name", "study__name")
    autocomplete_fields = ("user", "study")
    fields = ("user", "study")


def get_type_label(record: Any) -> str:
    """What users call the record's object type."""
    vault_object = get_object(record.object_name)
    return next((t.label for t in vault_object.object_types if t.api_name == record.object_type), record.object_type)
