"""Writing the configuration: bringing what is delivered into the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctms.audit.services import save_record
from ctms.configuration.models import ApplicationSettings, ObjectType, ObjectTypeAction
from ctms.configuration.registry import get_object, list_objects
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


def deliver_object_types(*, actor: Actor) -> None:
    """Add the object types of every registered object that the Vault lacks; existing ones stay as they are."""
    known = set(ObjectType.objects.values_list("of_object", "api_name"))
    for vault_object in list_objects():
        for object_type in vault_object.object_types:
            if (vault_object.api_name, object_type.api_name) not in known:
                status = RecordStatus.ACTIVE if object_type.delivered_active else RecordStatus.INACTIVE
                save_record(
                    record=ObjectType(
                        of_object=vault_object.api_name,
                        api_name=object_type.api_name,
                        label=object_type.label,
                        status=status,
                    ),
                    actor=actor,
                    reason="Delivered with the Vault",
                )


def set_object_type_status(*, object_name: str, object_type: str, status: RecordStatus, actor: Actor) -> None:
    """Activate or deactivate an object type."""
    row = ObjectType.objects.get(of_object=object_name, api_name=object_type)
    row.status = status
    save_record(record=row, actor=actor)


def assign_action(*, object_name: str, object_type: str, action_name: str, actor: Actor) -> None:
    """Offer an action on the records of an object type. Raises ValueError for an action that its object lacks."""
    if action_name not in get_object(object_name).actions:
        raise ValueError(f"{object_name} has no action {action_name!r}.")
    row = ObjectType.objects.get(of_object=object_name, api_name=object_type)
    if not ObjectTypeAction.objects.filter(object_type=row, action_name=action_name).exists():
        save_record(record=ObjectTypeAction(object_type=row, action_name=action_name), actor=actor)


def set_application_settings(
    *, clinical_person_identifier: str, crm_account_identifier: str, enable_global_crm_mapping: bool, actor: Actor
) -> ApplicationSettings:
    """Set the global identifier mapping."""
    row = ApplicationSettings.objects.first() or ApplicationSettings()
    row.clinical_person_identifier = clinical_person_identifier
    row.crm_account_identifier = crm_account_identifier
    row.enable_global_crm_mapping = enable_global_crm_mapping
    save_record(record=row, actor=actor)
    return row
