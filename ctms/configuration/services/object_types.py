"""Changes object types: their status, their fields, and the actions offered on their records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.audit.services import delete_record, save_record
from ctms.configuration.fields import ObjectField
from ctms.configuration.kinds import get_kind
from ctms.configuration.models import ObjectType, ObjectTypeAction, ObjectTypeField
from ctms.configuration.registry import get_object, list_objects
from ctms.configuration.selectors import get_object_type, is_always_on_types
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


class UnknownActionError(VaultError):
    """The object has no action of that API name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDecision:
    """Whether a field is on an object type, and whether it is required there."""

    is_assigned: bool
    is_required: bool = False


def deliver_object_types(*, actor: Actor) -> None:
    """Create the object types of registered objects that are not stored yet; stored ones stay as they are."""
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
    """Activate or deactivate an object type. Raises UnknownObjectTypeError."""
    row = get_object_type(object_name=object_name, object_type=object_type)
    row.status = status
    save_record(record=row, actor=actor)


# -- Fields ---------------------------------------------------------------------------------------
def assign_fields(*, object_name: str, object_type: str, field_names: Iterable[str], actor: Actor) -> None:
    """Put fields on an object type; whether they are required stays as it is."""
    row = get_object_type(object_name=object_name, object_type=object_type)
    shape = load_configuration().get(object_name).get_type(object_type)
    decisions = {name: FieldDecision(is_assigned=True, is_required=name in shape.required) for name in field_names}
    decide_fields(object_type=row, decisions=decisions, actor=actor)


def take_off_fields(*, object_name: str, object_type: str, field_names: Iterable[str], actor: Actor) -> None:
    """Take fields off an object type: its records do not show them any more; the values stay."""
    row = get_object_type(object_name=object_name, object_type=object_type)
    decide_fields(
        object_type=row, decisions={name: FieldDecision(is_assigned=False) for name in field_names}, actor=actor
    )


def decide_fields(*, object_type: ObjectType, decisions: Mapping[str, FieldDecision], actor: Actor) -> None:
    """Set whether fields are on an object type and required there. Only decisions that differ are written.

    Raises UnknownFieldError, and ValidationError naming every field whose decision is not allowed; then nothing is
    written.
    """
    if not decisions:
        return
    shape = load_configuration().get(object_type.of_object)
    present = shape.get_type(object_type.api_name)
    problems = [
        problem
        for name, decision in decisions.items()
        for problem in _list_problems(
            field=shape.get_field(name), decision=decision, object_label=shape.vault_object.title
        )
    ]
    if problems:
        raise ValidationError(problems)
    with transaction.atomic():
        rows = {row.field_name: row for row in ObjectTypeField.objects.filter(object_type=object_type)}
        for name, decision in decisions.items():
            if decision == FieldDecision(is_assigned=name in present.fields, is_required=name in present.required):
                continue
            row = rows.get(name) or ObjectTypeField(object_type=object_type, field_name=name)
            row.is_assigned, row.is_required = decision.is_assigned, decision.is_required
            save_record(record=row, actor=actor)


def _list_problems(*, field: ObjectField, decision: FieldDecision, object_label: str) -> list[str]:
    if not decision.is_assigned:
        if is_always_on_types(field):
            return [f"{field.label} ({field.api_name}) stays on every object type: no {object_label} is without it."]
        if decision.is_required and not field.is_required:
            return [f"{field.label} ({field.api_name}) is required but not assigned: assign it, or require it no more."]
    has_value = get_kind(field.kind).always_has_value
    if decision.is_required and (field.is_read_only or has_value):
        reason = "it always has a value" if has_value else "the Vault fills it, not its users"
        return [f"{field.label} ({field.api_name}) cannot be required: {reason}."]
    return []


# -- Actions --------------------------------------------------------------------------------------
def assign_action(*, object_name: str, object_type: str, action_name: str, actor: Actor) -> None:
    """Offer an action on the records of an object type. Raises UnknownActionError and UnknownObjectTypeError."""
    vault_object = get_object(object_name)
    if action_name not in vault_object.actions:
        there = ", ".join(vault_object.actions) or "none"
        raise UnknownActionError(f"{vault_object.title} has no action {action_name!r}. Its actions: {there}.")
    row = get_object_type(object_name=object_name, object_type=object_type)
    if not ObjectTypeAction.objects.filter(object_type=row, action_name=action_name).exists():
        save_record(record=ObjectTypeAction(object_type=row, action_name=action_name), actor=actor)


def unassign_action(*, object_name: str, object_type: str, action_name: str, actor: Actor) -> None:
    """Stop offering an action on the records of an object type. The object may not have the action any more."""
    row = get_object_type(object_name=object_name, object_type=object_type)
    for assigned in ObjectTypeAction.objects.filter(object_type=row, action_name=action_name):
        delete_record(record=assigned, actor=actor)
