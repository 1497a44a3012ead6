"""Reading the configuration."""

from __future__ import annotations

from ctms.configuration.models import ApplicationSettings, ObjectType, ObjectTypeAction
from ctms.configuration.registry import get_object
from ctms.core.choices import RecordStatus


def get_application_settings() -> ApplicationSettings:
    """The Vault's settings; as delivered while nobody has saved them."""
    return ApplicationSettings.objects.first() or ApplicationSettings()


def is_object_type_active(*, object_name: str, object_type: str) -> bool:
    """Whether records of that type may be created; as delivered where no admin has changed it."""
    row = ObjectType.objects.filter(of_object=object_name, api_name=object_type).first()
    if row is not None:
        return row.status == RecordStatus.ACTIVE
    return any(t.api_name == object_type and t.delivered_active for t in get_object(object_name).object_types)


def is_action_assigned(*, object_name: str, object_type: str, action_name: str) -> bool:
    """Whether an admin assigned the action to the object type."""
    return ObjectTypeAction.objects.filter(
        object_type__of_object=object_name, object_type__api_name=object_type, action_name=action_name
    ).exists()
