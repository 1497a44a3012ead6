"""Services that write records by field for a user, with the same checks for pages, the API, imports and bulk edits."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction

from ctms.audit.actors import Actor
from ctms.audit.selectors import list_dependants
from ctms.audit.services import RecordInUseError, delete_record, save_record
from ctms.audit.uses import count_seen, explain_use
from ctms.configuration.field_defaults import put_defaults
from ctms.configuration.fields import OBJECT_TYPE
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import StaleRecordError
from ctms.core.models import AuditedModel
from ctms.records.access import AccessRefusedError, ObjectAccess
from ctms.records.fields.custom_references import count_custom_references
from ctms.records.fields.references import list_choices
from ctms.records.fields.values import assign_value, read_value
from ctms.records.writing.questions import AskedValue, UnconfirmedError, list_asked
from ctms.records.writing.taken_numbers import name_taken
from ctms.records.writing.validation import (
    REQUIRED,
    check_references,
    check_required,
    check_scopes,
    check_users,
    fill_parents,
    follow_references,
    list_changed,
    require_object_type,
)

_NOT_CLONED = ("external_id__v", "status__v", OBJECT_TYPE)
RACE = "Somebody else saved a record that this one contradicts at the same moment. Save again."


def build_record(*, access: ObjectAccess, object_type: str) -> Any:
    """Build a new, unsaved record of that type, with defaults that depend on the user.

    Raises AccessRefusedError saying why the user cannot create one.
    """
    if reason := access.explain_create(object_type):
        raise AccessRefusedError(reason)
    model = access.vault_object.model
    record = model(object_type=object_type) if object_type else model()
    put_defaults(record=record, shape=access.shape)
    access.vault_object.complete_new(record, access.user)
    return record


def write_values(
    *,
    access: ObjectAccess,
    record: Any,
    values: Mapping[str, Any],
    actor: Actor,
    expected_version: int | None = None,
    reason: str = "",
    references_are_checked: bool = False,
    users_are_checked: bool = False,
    confirmed: Collection[str] = (),
) -> bool:
    """Create or change a record. Return whether anything was written.

    `values` maps API names to values of the fields' Python types, references to records. `references_are_checked` says
    that the caller found these among `list_choices`. A reference fills empty parent references. Fields that the object
    type requires are checked in new records, in records whose type changes, and where `values` sets them; a record that
    lacked one before can still be changed elsewhere.

    `confirmed` holds API names of fields, or keys of questions, whose unusual values are right.

    Raises AccessRefusedError, StaleRecordError, and ValidationError by API name of the field; then nothing is written,
    but `record` holds the new values. It is an UnconfirmedError if nothing is wrong but values have to be confirmed.
    """
    asked = put_values(
        access=access,
        record=record,
        values=values,
        references_are_checked=references_are_checked,
        users_are_checked=users_are_checked,
    )
    if unconfirmed := [each for each in asked if not each.is_confirmed(confirmed)]:
        raise UnconfirmedError(unconfirmed)
    try:
        # Deferred constraints are checked when the transaction ends, so the whole block is inside the `try`.
        with transaction.atomic():
            return save_record(record=record, actor=actor, expected_version=expected_version, reason=reason)
    except ValidationError as error:
        error = name_taken(access=access, record=record, error=error)
        raise translate_errors(error=error, shape=access.shape) from error
    except IntegrityError as error:
        # All values were validated, so another write in between must have caused this.
        raise ValidationError(RACE) from error


def put_values(
    *,
    access: ObjectAccess,
    record: Any,
    values: Mapping[str, Any],
    references_are_checked: bool = False,
    users_are_checked: bool = False,
) -> list[AskedValue]:
    """Check and assign values as `write_values` does, without saving, for callers that save many records at once.

    `users_are_checked` says that the caller asks for all records together whether users see what they are named for.

    Return the questions about unusual values, which the caller shows to whoever gave them. Raises AccessRefusedError,
    and ValidationError by API name of the field.
    """
    adding = record._state.adding  # noqa: SLF001  Django's documented API
    present_type = str(getattr(record, "object_type", "") or "")
    object_type = str(values.get(OBJECT_TYPE, present_type) or "")
    require_object_type(access=access, object_type=object_type, is_asked=adding or object_type != present_type)
    refusal = access.explain_create(object_type) if adding else access.explain_edit(record)
    if not adding and object_type != present_type:
        refusal = refusal or access.explain_create(object_type)
    if refusal:
        raise AccessRefusedError(refusal)
    changed = list_changed(access=access, record=record, values=values, object_type=object_type)
    if not references_are_checked:
        check_references(access=access, changed=changed)
    for each, value in changed:
        assign_value(record=record, field=each, value=value)
    follow_references(shape=access.shape, record=record, changed=changed)
    fill_parents(shape=access.shape, record=record, object_type=object_type)
    check_scopes(shape=access.shape, record=record, changed=changed)
    if not users_are_checked:
        check_users(access=access, record=record, changed=changed)
    if adding:
        access.vault_object.complete_new(record, access.user)
    asked = None if adding or object_type != present_type else {each.api_name for each, _ in changed}
    check_required(shape=access.shape, record=record, object_type=object_type, asked=asked)
    return list_asked(shape=access.shape, record=record, changed=changed)


def translate_errors(*, error: ValidationError, shape: ObjectShape) -> ValidationError:
    """Return the error by API names instead of model attributes; errors of no field become non-field errors."""
    if not hasattr(error, "error_dict"):
        return error
    names = {each.attribute: name for name, each in shape.fields.items()}
    translated: dict[str, list[ValidationError]] = {}
    for attribute, found in error.error_dict.items():
        # Django's own message, "cannot be null", is written for developers.
        errors = [ValidationError(REQUIRED, code=e.code) if e.code in ("null", "blank") else e for e in found]
        name = attribute if attribute in shape.fields else names.get(attribute, NON_FIELD_ERRORS)
        translated.setdefault(name, []).extend(errors)
    return ValidationError(translated)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionPlan:
    """What a deletion would do: rows deleted along with the record, and rows that prevent it, counted by label.

    Both count what the user does not see, too: `list_protecting` leaves that out of what is shown.
    `parts_digest` identifies exactly the parts that are deleted along; empty if there are none.
    """

    refusal: str
    going_along: dict[str, int] = field(default_factory=dict)
    protecting: dict[str, int] = field(default_factory=dict)
    parts_digest: str = ""

    @property
    def is_possible(self) -> bool:
        return not self.refusal and not self.protecting


def plan_deletion(*, access: ObjectAccess, record: Any) -> DeletionPlan:
    """Return what deleting the record would do, and why it cannot be done, if so."""
    dependants = list_dependants([record])
    parts = _list_parts(record)
    going_along = Counter(str(part._meta.verbose_name_plural) for part in parts)
    kept = Counter(dependants.protecting)
    named = count_custom_references(access=access, record=record)
    kept.update({each.vault_object.plural_label: each.number for each in named})
    kept.subtract(going_along)
    return DeletionPlan(
        refusal=_explain_deletion(access=access, record=record, parts=parts),
        going_along=dict(going_along) | dependants.going_along,
        protecting={label: number for label, number in kept.items() if number > 0},
        parts_digest=_digest_parts(parts),
    )


def delete_with_parts(
    *,
    access: ObjectAccess,
    record: Any,
    actor: Actor,
    expected_version: int | None = None,
    expected_parts: str | None = None,
    reason: str = "",
) -> None:
    """Delete a record and the parts that its object declares; all values stay in the audit trail.

    Parts that are records of an object are deleted only if the profile allows that too. Study assignments are not: they
    mean nothing without the study, and whoever may delete the study deletes them too. `expected_parts` is the digest of
    the parts that the user was shown; None if nothing was shown.

    Raises AccessRefusedError, StaleRecordError, and RecordInUseError naming what refers to it; then nothing is deleted.
    """
    if refusal := access.explain_delete(record):
        raise AccessRefusedError(refusal)
    with transaction.atomic():
        # Locked, so that nobody adds a part while the others are read and deleted.
        type(record)._base_manager.select_for_update().filter(pk=record.pk).first()
        parts = _list_parts(record)
        if refusal := _explain_deletion(access=access, record=record, parts=parts):
            raise AccessRefusedError(refusal)
        if expected_parts is not None and expected_parts != _digest_parts(parts):
            raise StaleRecordError(
                f"What goes with {record} is not what you were shown; nothing was deleted. Look at it again, then "
                "delete it."
            )
        _refuse_named(access=access, record=record, parts=parts)
        for part in parts:
            delete_record(record=part, actor=actor, reason=reason)
        delete_record(record=record, actor=actor, reason=reason, expected_version=expected_version)


def _refuse_named(*, access: ObjectAccess, record: Any, parts: Sequence[AuditedModel]) -> None:
    """Raise RecordInUseError if custom fields refer to the record. It counts all that refers to it, in any field."""
    named = count_custom_references(access=access, record=record)
    if named:
        referring = [
            (each.seen, each.vault_object.label if each.seen == 1 else each.vault_object.plural_label) for each in named
        ]
        referring += count_seen(record=record, user=access.user, without=parts)
        raise RecordInUseError(f"{record} cannot be deleted: {explain_use(user=access.user, referring=referring)}")


def build_clone(*, access: ObjectAccess, record: Any) -> Any:
    """Build a new, unsaved record with the values of another, except those in `_NOT_CLONED` and read-only ones.

    Raises AccessRefusedError if the user cannot create a record of its type.
    """
    object_type = getattr(record, "object_type", "")
    clone = build_record(access=access, object_type=object_type)
    clone.custom_fields = {}  # not the defaults: what the other record leaves empty stays so
    for each in access.shape.list_type_fields(object_type):
        if each.is_read_only or each.is_unique or each.api_name in _NOT_CLONED:
            continue
        if each.is_custom:
            stored = (record.custom_fields or {}).get(each.api_name)
            if stored is not None:
                clone.custom_fields[each.api_name] = stored
        else:
            assign_value(record=clone, field=each, value=read_value(record=record, field=each))
    return clone


def drop_unfit_references(*, access: ObjectAccess, record: Any, shown: Collection[str]) -> None:
    """Empty references of a clone that its form does not show, if the user could not choose them for a new record.

    Runs one statement for each such reference that is set.
    """
    for each in access.shape.list_type_fields(getattr(record, "object_type", "")):
        if each.reference is None or each.is_read_only or each.api_name in shown:
            continue
        value = read_value(record=record, field=each)
        choices = list_choices(access=access, field=each) if value is not None else None
        if value is not None and (choices is None or not choices.filter(uid=getattr(value, "uid", value)).exists()):
            assign_value(record=record, field=each, value=None)


def _list_parts(record: Any) -> list[AuditedModel]:
    """Return the parts of a record and their own parts, each before the one that it belongs to."""
    vault_object = get_object_of_model(type(record))
    found: list[AuditedModel] = []
    for model, attribute in vault_object.parts if vault_object else ():
        for part in model._default_manager.filter(**{attribute: record}):
            if not isinstance(part, AuditedModel):
                raise TypeError(f"{model.__name__} is no audited record.")
            found += [*_list_parts(part), part]
    return found


def _explain_deletion(*, access: ObjectAccess, record: Any, parts: Sequence[AuditedModel]) -> str:
    """Return why the user cannot delete the record with these parts; empty if they can."""
    if refusal := access.explain_delete(record):
        return refusal
    for part in parts:
        part_object = get_object_of_model(type(part))
        if part_object is None or part_object.is_setup:
            continue
        shape = access.configuration.get(part_object.api_name)
        if refusal := replace(access, shape=shape).explain_delete(part):
            return f"{part_object.plural_title} go with the {access.vault_object.label}. {refusal}"
    return ""


def _digest_parts(parts: Sequence[AuditedModel]) -> str:
    if not parts:
        return ""
    return hashlib.sha256(" ".join(sorted(str(part.uid) for part in parts)).encode()).hexdigest()[:32]
