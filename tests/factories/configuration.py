"""The configuration steps with which most tests of the transfer begin."""

from __future__ import annotations

from activities.choices import ActivityType
from activities.models import Activity
from ctms.configuration.models import ApplicationSettings
from ctms.configuration.services import set_application_settings, set_object_type_status
from ctms.core.choices import RecordStatus
from tests.factories.base import build_admin_actor


def map_identifiers(
    *, person_field: str = "external_id__v", account_field: str = "External_ID_vod__c"
) -> ApplicationSettings:
    """Set the global identifier mapping."""
    return set_application_settings(
        clinical_person_identifier=person_field,
        crm_account_identifier=account_field,
        enable_global_crm_mapping=True,
        actor=build_admin_actor(),
    )


def activate_medical_activities() -> None:
    """Activate the object type Medical Activity."""
    set_object_type_status(
        object_name=Activity.object_name,
        object_type=ActivityType.MEDICAL,
        status=RecordStatus.ACTIVE,
        actor=build_admin_actor(),
    )
