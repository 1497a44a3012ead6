"""Registration of the clinical objects: their fields by API name, their types, the columns of their lists."""

from __future__ import annotations

from ctms.clinical.choices import CommunicationType, MonitoringEventType, PersonType
from ctms.clinical.models import (
    MonitoringEvent,
    MonitoringEventParticipant,
    Person,
    Study,
    StudyCommunicationLog,
    StudyCountry,
    StudyPerson,
    StudySite,
)
from ctms.configuration.registry import ObjectType, VaultObject, register_object

_PLANNED_AND_ACTUAL = {
    "planned_start_date__v": "planned_start",
    "planned_end_date__v": "planned_end",
    "actual_start_date__v": "actual_start",
    "actual_end_date__v": "actual_end",
}


def register_clinical_objects() -> None:
    """Called once, when the app is ready."""
    register_object(
        VaultObject(
            model=Study,
            fields={
                "study_name__v": "study_name",
                "protocol_title__v": "protocol_title",
                "study_phase__v": "phase",
                "state__v": "lifecycle_state",
                "sponsor__v": "sponsor",
                **_PLANNED_AND_ACTUAL,
                "send_to_crm__v": "send_to_crm",
            },
            list_columns=("name__v", "study_name__v", "study_phase__v", "state__v", "sponsor__v"),
        )
    )
    register_object(
        VaultObject(
            model=StudyCountry,
            fields={"study__v": "study", "country__v": "country"},
            list_columns=("name__v", "study__v", "status__v"),
        )
    )
    register_object(
        VaultObject(
            model=StudySite,
            fields={
                "study__v": "study",
                "study_country__v": "study_country",
                "site_name__v": "site_name",
                "principal_investigator__v": "principal_investigator",
                "state__v": "lifecycle_state",
                "city__v": "city",
                "address_country__v": "address_country",
                "send_to_crm__v": "send_to_crm",
            },
            list_columns=("name__v", "site_name__v", "study__v", "study_country__v", "principal_investigator__v"),
        )
    )
    register_object(
        VaultObject(
            model=Person,
            fields={
                "first_name__sys": "first_name",
                "last_name__sys": "last_name",
                "full_name__v": "full_name",
                "email__sys": "email",
                "phone__v": "phone",
                "language__sys": "language",
                "npi__v": "npi",
                "person_identifier__v": "person_identifier",
            },
            object_types=tuple(ObjectType(api_name=value, label=label) for value, label in PersonType.choices),
            list_columns=("name__v", "object_type__v", "email__sys", "phone__v", "status__v"),
        )
    )
    register_object(
        VaultObject(
            model=StudyPerson,
            fields={
                "person__clin": "person",
                "study__clin": "study",
                "study_country__clin": "study_country",
                "site__clin": "site",
                "team_role__v": "team_role",
                "start_date__clin": "start_date",
                "end_date__clin": "end_date",
            },
            list_columns=("name__v", "study__clin", "site__clin", "team_role__v", "start_date__clin"),
        )
    )
    register_object(
        VaultObject(
            model=MonitoringEvent,
            fields={
                "study__v": "study",
                "study_country__v": "study_country",
                "site__v": "site",
                "state__v": "lifecycle_state",
                **_PLANNED_AND_ACTUAL,
                "monitoring_visit_method__v": "visit_method",
                "activity_update_required__v": "activity_update_required",
            },
            object_types=tuple(ObjectType(api_name=value, label=label) for value, label in MonitoringEventType.choices),
            list_columns=("name__v", "object_type__v", "site__v", "planned_start_date__v", "state__v"),
        )
    )
    register_object(
        VaultObject(
            model=MonitoringEventParticipant,
            fields={"monitoring_event__v": "monitoring_event", "person__v": "person", "role__v": "role"},
            list_columns=("name__v", "monitoring_event__v", "role__v"),
        )
    )
    register_object(
        VaultObject(
            model=StudyCommunicationLog,
            fields={
                "study__v": "study",
                "study_country__v": "study_country",
                "site__v": "site",
                "date__v": "date",
                "subject__v": "subject",
                "summary__v": "summary",
                "direction__v": "direction",
                "activity_update_required__v": "activity_update_required",
            },
            object_types=tuple(ObjectType(api_name=value, label=label) for value, label in CommunicationType.choices),
            list_columns=("name__v", "object_type__v", "study__v", "site__v", "date__v"),
        )
    )
