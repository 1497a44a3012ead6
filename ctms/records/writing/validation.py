"""Validates the values of a record; `services.write_values` calls these checks before it saves."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import UnknownFieldError
from ctms.configuration.snapshot import ObjectShape
from ctms.core.references import copy_parents
from ctms.core.text.characters import explain_unfit as explain_unfit_text
from ctms.core.text.characters import normalise_text
from ctms.records.access import ObjectAccess
from ctms.records.fields.kinds.base import EMPTY, kind_of
from ctms.records.fields.references import ReferenceScope, get_target, list_choices, list_scopes
from ctms.records.fields.users import explain_unfit, list_unfit, names_user
from ctms.records.fields.values import read_value
from ctms.records.writing.questions import explain_year

REQUIRED = "This field is required."

Changed = Sequence[tuple[ObjectField, Any]]


def require_object_type(*, access: ObjectAccess, object_type: str, is_asked: bool) -> None:
    """Raise ValidationError if the object has types, and the given one is empty or does not exist."""
    if is_asked and object_type not in access.shape.types:
        labels = ", ".join(each.label for each in access.list_creatable_types())
        wrong = f"{access.vault_object.title} has no type {object_type}. " if object_type else ""
        raise ValidationError({OBJECT_TYPE: f"{wrong}Choose one of: {labels or 'none is active'}."})


def list_changed(
    *, access: ObjectAccess, record: Any, values: Mapping[str, Any], object_type: str
) -> list[tuple[ObjectField, Any]]:
    """Return the fields whose value differs from the record's. Raises ValidationError for those that cannot be set."""
    assigned = access.shape.get_type(object_type).fields
    changed: list[tuple[ObjectField, Any]] = []
    errors: dict[str, Any] = {}
    for name, given in values.items():
        try:
            each = access.shape.get_field(name)
        except UnknownFieldError as error:
            errors.setdefault(NON_FIELD_ERRORS, []).append(str(error))
            continue
        kind = kind_of(each)
        value = normalise_text(given, has_lines=kind.has_lines) if isinstance(given, str) else given
        present = read_value(record=record, field=each)
        if kind.is_same(present=present, value=value, field=each):
            continue
        if each.is_read_only and name != OBJECT_TYPE:
            errors[name] = f"{each.label} is filled by the Vault and cannot be set."
        elif name not in assigned:
            errors[name] = f"{each.label} is not a field of {access.shape.get_type(object_type).label}."
        elif problem := _explain_value(field=each, value=value, present=present):
            errors[name] = problem
        else:
            changed.append((each, value))
    if errors:
        raise ValidationError(errors)
    return changed


def check_references(*, access: ObjectAccess, changed: Changed) -> None:
    """Raise ValidationError for references to records that are inactive or not visible to the user."""
    errors = {}
    for each, value in changed:
        if each.reference is None or value is None or names_user(each):
            continue
        choices = list_choices(access=access, field=each)
        if choices is None or not choices.filter(pk=value.pk).exists():
            target = get_target(each)
            errors[each.api_name] = f"Choose an active {target.label if target else each.label} that you can see."
    if errors:
        raise ValidationError(errors)


def check_users(*, access: ObjectAccess, record: Any, changed: Changed) -> None:
    """Raise ValidationError for users who do not see what the record belongs to."""
    named = [(each, value) for each, value in changed if names_user(each) and value is not None]
    unfit = list_unfit(shape=access.shape, named=[(record, value) for _, value in named]) if named else ()
    if unfit:
        raise ValidationError({each.api_name: explain_unfit(value) for each, value in named})


def fill_parents(*, shape: ObjectShape, record: Any, object_type: str) -> None:
    """Fill empty parent references from other references; for example, a site fills the study."""
    assigned = shape.get_type(object_type).fields
    links = [
        (field.attribute, scope.attribute, scope.parent.attribute)
        for field, scope in _list_pairs(shape)
        if scope.parent.api_name in assigned
    ]
    copy_parents(record, links=links)


def follow_references(*, shape: ObjectShape, record: Any, changed: Changed) -> None:
    """Change parent references along with those that decide them, unless they were changed themselves."""
    values = {each.api_name: value for each, value in changed}
    for parent, name in shape.vault_object.follows.items():
        value = values.get(name)
        if value is not None and parent not in values:
            attribute = shape.fields[parent].attribute
            setattr(record, attribute, getattr(value, attribute))


def check_scopes(*, shape: ObjectShape, record: Any, changed: Changed) -> None:
    """Raise ValidationError for each reference that does not fit its parent, such as a site of another study."""
    names = {each.api_name for each, _ in changed}
    errors: dict[str, str] = {}
    for field, scope in _list_pairs(shape):
        if field.api_name in errors or not names & {field.api_name, scope.parent.api_name}:
            continue
        parent_key = getattr(record, _get_attname(record, scope.parent.attribute))
        if parent_key is None or getattr(record, _get_attname(record, field.attribute)) is None:
            continue
        child = getattr(record, field.attribute)
        key = getattr(child, _get_attname(child, scope.attribute))
        if key is not None and key != parent_key:
            theirs, parent = getattr(child, scope.attribute), getattr(record, scope.parent.attribute)
            label = scope.parent.label
            errors[field.api_name] = f"{child} belongs to {theirs}, not to {parent}. Choose another, or change {label}."
    if errors:
        raise ValidationError(errors)


def check_required(*, shape: ObjectShape, record: Any, object_type: str, asked: Collection[str] | None) -> None:
    """Raise ValidationError for empty fields that the type requires; only for those in `asked`, if given."""
    missing = _list_missing(shape=shape, record=record, object_type=object_type, asked=asked)
    if missing:
        record.prepare_for_save()
        missing = _list_missing(shape=shape, record=record, object_type=object_type, asked=asked)
    if missing:
        raise ValidationError(dict.fromkeys(missing, REQUIRED))


def _list_missing(*, shape: ObjectShape, record: Any, object_type: str, asked: Collection[str] | None) -> list[str]:
    return [
        name
        for name in sorted(shape.get_type(object_type).required)
        if name in shape.fields
        and (asked is None or name in asked)
        and read_value(record=record, field=shape.fields[name]) in EMPTY
    ]


@lru_cache(maxsize=64)
def _list_pairs(shape: ObjectShape) -> tuple[tuple[ObjectField, ReferenceScope], ...]:
    # Cached, because it is the same for every record written under one configuration.
    return tuple((field, each) for field in shape.fields.values() for each in list_scopes(shape=shape, field=field))


def _get_attname(record: Any, attribute: str) -> str:
    name: str = record._meta.get_field(attribute).attname
    return name


def _explain_value(*, field: ObjectField, value: Any, present: Any) -> str:
    """Return what is wrong with a value that neither the model nor the database would refuse; empty if nothing."""
    if isinstance(value, str) and (problem := explain_unfit_text(value, has_lines=kind_of(field).has_lines)):
        return problem
    if field.is_whole and isinstance(value, (Decimal, float)) and value != int(value):
        return "Enter a whole number."
    problem = kind_of(field).explain(value=value, field=field) if field.is_custom and value not in EMPTY else ""
    problem = problem or kind_of(field).explain_retired(value=value, present=present, field=field)
    return problem or explain_year(value)
