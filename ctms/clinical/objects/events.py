"""Monitoring events and who takes part."""

from __future__ import annotations

from urllib.parse import urlencode

from ctms.clinical.choices import MonitoringEventType
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
)
from ctms.clinical.objects.shared import DATES, DONE_BEFORE, NAME, PLANNED_AND_ACTUAL, UPDATE_REQUIRED
from ctms.clinical.reference_choices import choose_from_study_people
from ctms.clinical.state_badges import describe_event_state
from ctms.configuration.copying import CopyRule
from ctms.configuration.layouts import FieldSection, Layout, RelatedSection
from ctms.configuration.registry import (
    ChildPicker,
    DeliveredView,
    InStudy,
    ObjectType,
    VaultObject,
)
from ctms.records.conditions.mine import MINE_HERE, OWNER


def build_event_objects() -> tuple[VaultObject, ...]:
    """Return the objects, to be registered."""
    event = VaultObject(
        model=MonitoringEvent,
        scope=InStudy(),
        description="A monitoring event is a visit to a site, planned or done, on-site or remote.",
        fields={
            "study__v": "study",
            "study_country__v": "study_country",
            "site__v": "site",
            "state__v": "lifecycle_state",
            **PLANNED_AND_ACTUAL,
            "monitoring_visit_method__v": "visit_method",
            OWNER: "owner",
            UPDATE_REQUIRED: "activity_update_required",
        },
        object_types=tuple(ObjectType(api_name=value, label=label) for value, label in MonitoringEventType.choices),
        generated_fields=NAME,
        unassigned_fields=frozenset({"monitoring_visit_method__v", UPDATE_REQUIRED}),
        list_columns=("name__v", "object_type__v", "study__v", "site__v", "planned_start_date__v", OWNER, "state__v"),
        default_sort="-planned_start_date__v",
        search_fields=("name__v", "site__v.name__v", "site__v.site_name__v"),
        filters=("study__v", "site__v", OWNER, "object_type__v", "state__v", "planned_start_date__v", "status__v"),
        header_fields=("study__v", "site__v", "planned_start_date__v", "state__v", OWNER),
        views=(
            DeliveredView(
                name="My visits",
                parameters=f"{urlencode(MINE_HERE)}&status__v=active__v&sort=-planned_start_date__v",
            ),
        ),
        layouts=(
            Layout(
                name="Monitoring event page layout",
                sections=(
                    FieldSection(
                        title="Monitoring Event Details",
                        fields=(
                            "object_type__v",
                            "site__v",
                            "study_country__v",
                            "study__v",
                            OWNER,
                            "state__v",
                            "status__v",
                        ),
                    ),
                    DATES,
                    FieldSection(title="Activity", fields=("monitoring_visit_method__v", UPDATE_REQUIRED)),
                    RelatedSection(
                        title="Participants",
                        related_object="monitoring_event_participant__ctms",
                        related_field="monitoring_event__v",
                        columns=("person__v", "role__v", "status__v"),
                    ),
                ),
            ),
        ),
        parts=((MonitoringEventParticipant, "monitoring_event"),),
        badges={"state__v": describe_event_state},
        questions=DONE_BEFORE,
        kept_fields=("study__v", "study_country__v", "planned_start_date__v", "planned_end_date__v"),
        child_pickers=(
            ChildPicker(
                name="participants",
                part="monitoring_event_participant__ctms",
                parent="monitoring_event__v",
                reference="person__v",
            ),
        ),
        copying=CopyRule(
            label="Copy to several sites",
            per="site__v",
            within="study__v",
            days=("planned_start_date__v", "planned_end_date__v"),
            without=("actual_start_date__v", "actual_end_date__v", "state__v", OWNER, UPDATE_REQUIRED),
        ),
        tab=4,
        icon="event",
    )
    participant = VaultObject(
        model=MonitoringEventParticipant,
        scope=InStudy(),
        description="A participant is a person who takes part in a monitoring event.",
        fields={"monitoring_event__v": "monitoring_event", "person__v": "person", "role__v": "role"},
        reference_choices={"person__v": choose_from_study_people("monitoring_event__v")},
        generated_fields=NAME,
        list_columns=("name__v", "monitoring_event__v", "role__v"),
        default_sort="name__v",
        header_fields=("monitoring_event__v", "role__v"),
        kept_fields=("monitoring_event__v",),
        icon="people",
    )
    return event, participant
