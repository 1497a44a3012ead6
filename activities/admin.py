"""Activities in the admin: Clinical ones are logged and edited, Medical ones are read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import (
    AutocompleteSelectFilter,
    ChoicesDropdownFilter,
    DropdownFilter,
    RangeDateFilter,
)

from activities.choices import ActivityType
from activities.forms import ActivityForm
from activities.models import Activity
from ctms.audit.actors import Actor
from ctms.audit.admin.theme import display
from ctms.audit.admin.writing import get_expected_version
from ctms.audit.services import save_record
from ctms.clinical.admin import StudyScopedAdmin
from ctms.configuration.selectors import is_object_type_active


class ObjectTypeFilter(DropdownFilter):
    """Clinical or Medical Activities."""

    title = "object type"
    parameter_name = "object_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:  # noqa: ARG002  Django's signature
        return [(str(value), label) for value, label in ActivityType.choices]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Activity]) -> QuerySet[Activity]:  # noqa: ARG002  Django's signature
        return queryset.filter(object_type=self.value()) if self.value() else queryset


@admin.register(Activity)
class ActivityAdmin(StudyScopedAdmin):
    """Activities of the user's studies, and those that name no study."""

    form = ActivityForm
    list_display = (
        "name",
        "show_type",
        "date",
        "person",
        "channel",
        "show_completion",
        "subject",
        "study",
        "site",
        "status",
    )
    list_filter = (
        ObjectTypeFilter,
        ("study", AutocompleteSelectFilter),
        ("channel", ChoicesDropdownFilter),
        "complete",
        ("date", RangeDateFilter),
        "status",
    )
    list_select_related = ("person", "study", "site")
    search_fields = ("name", "subject", "person__last_name", "person__first_name")
    search_help_text = "Activity, subject or person"
    autocomplete_fields = (
        "person",
        "study",
        "study_country",
        "site",
        "study_person",
        "monitoring_event",
        "study_communication",
    )
    readonly_fields = ("name", "show_type", "from_text", "connection", "crm_id")

    def get_fieldsets(self, request: HttpRequest, obj: Activity | None = None) -> Any:  # noqa: ARG002  Django's signature
        general: list[Any] = ["person", ("date", "channel"), "complete", "subject", "notes"]
        origin = ("Origin", {"fields": ("from_text", ("connection", "crm_id"))})
        study = (
            "Study Details",
            {
                "fields": (
                    ("site", "study_person"),
                    ("study_country", "study"),
                    ("monitoring_event", "study_communication"),
                ),
                "description": "Choosing the narrower one fills the wider: a site names its country and its study.",
            },
        )
        if obj is None:
            return ((None, {"fields": general}), study)
        return ((None, {"fields": [("name", "show_type"), *general, "status"]}), study, origin)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_medical(obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return not _is_medical(obj) and super().has_delete_permission(request, obj)

    def write_record(self, *, record: Activity, form: Any, actor: Actor) -> None:
        if record._state.adding:  # noqa: SLF001  Django's documented API
            if not is_object_type_active(object_name=Activity.object_name, object_type=ActivityType.CLINICAL):
                raise ValidationError("The object type Clinical Activity is Inactive: no new one can be logged.")
            record.object_type = ActivityType.CLINICAL
            record.from_text = actor.user.display_contact
        save_record(record=record, actor=actor, expected_version=get_expected_version(form))

    @display(description="object type", label={"Medical Activity": "info"}, ordering="object_type")
    def show_type(self, activity: Activity) -> str:
        return ActivityType(activity.object_type).label

    @display(description="complete", label={"Complete": "success", "Planned": "warning"}, ordering="complete")
    def show_completion(self, activity: Activity) -> str:
        return "Complete" if activity.complete else "Planned"


def _is_medical(obj: Any) -> bool:
    return isinstance(obj, Activity) and obj.object_type == ActivityType.MEDICAL
