"""Registration of the activity."""

from __future__ import annotations

from activities.choices import ActivityType
from activities.models import Activity
from ctms.configuration.registry import ObjectType, VaultObject, register_object


def register_activity_objects() -> None:
    """Called once, when the app is ready."""
    register_object(
        VaultObject(
            model=Activity,
            fields={
                "person__v": "person",
                "date__v": "date",
                "channel__v": "channel",
                "complete__v": "complete",
                "from__v": "from_text",
                "subject__v": "subject",
                "notes__v": "notes",
                "study__v": "study",
                "study_country__v": "study_country",
                "site__v": "site",
                "study_person__v": "study_person",
                "monitoring_event__v": "monitoring_event",
                "study_communication__v": "study_communication",
                "connection__v": "connection",
                "crm_id__v": "crm_id",
            },
            object_types=(
                ObjectType(api_name=ActivityType.CLINICAL, label=ActivityType.CLINICAL.label),
                ObjectType(api_name=ActivityType.MEDICAL, label=ActivityType.MEDICAL.label, delivered_active=False),
            ),
            list_columns=("name__v", "object_type__v", "person__v", "date__v", "channel__v", "complete__v"),
        )
    )
