"""What makes the values of a record right, whoever writes them: asked by `services.write_values` before it saves."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import UnknownFieldError
from ctms.configuration.snapshot import ObjectShape
from ctms.records.access import ObjectAccess
from ctms.records.references import Narrowing, get_target, list_choices, list_narrowings
from ctms.records.values import EARLIEST, LATEST, read_value

REQUIRED = "This field is required."
# A JSON number of more digits would not come back as it was typed.
MOST_DIGITS = 15
BEYOND = f"Enter a date and time between {EARLIEST.date()} and {LATEST.date()}."
_EMPTY = (None, "")

Changed = Sequence[tuple[ObjectField, Any]]


def require_object_type(*, access: ObjectAccess, object_type: str, is_asked: bool) -> None:
    """Raise ValidationError where an object with types is written without one, or with one that there is not."""
    if is_asked and object_type not in access.shape.types:
        labels = ", ".join(each.label for each in access.list_creatable_types())
        wrong = f"{access.vault_object.title} has no type {object_type}. " if object_type else ""
        raise ValidationError({"object_type__v": f"{wrong}Choose one of: {labels or 'none is active'}."})


def list_changed(
    *, access: ObjectAccess, record: Any, values: Mapping[str, Any], object_type: str
) -> list[tuple[ObjectField, Any]]:
    """The fields whose value differs from the record's. Raises ValidationError for those that cannot be written."""
    assigned = access.shape.get_type(object_type).fields
    changed: list[tuple[ObjectField, Any]] = []
    errors: dict[str, Any] = {}
    for name, value in values.items():
        try:
            each = access.shape.get_field(name)
        except UnknownFieldError as error:
            errors.setdefault(NON_FIELD_ERRORS, []).append(str(error))
            continue
        if _is_same(record=record, field=each, value=value):
            continue
        if each.is_read_only and name != "object_type__v":
            errors[name] = f"{each.label} is filled by the Vault and cannot be set."
        elif name not in assigned:
            errors[name] = f"{each.label} is not a field of {access.shape.get_type(object_type).label}."
        elif problem := _explain_value(field=each, value=value):
            errors[name] = problem
        else:
            changed.append((each, value))
    if errors:
        raise ValidationError(errors)
    return changed


def check_references(*, access: ObjectAccess, changed: Changed) -> None:
    """Raise ValidationError for references to what is inactive or not visible to the user."""
    errors = {}
    for each, value in changed:
        if each.reference is None or value is None:
            continue
        choices = list_choices(access=access, field=each)
        if choices is None or not choices.filter(pk=value.pk).exists():
            target = get_target(each)
            errors[each.api_name] = f"Choose an active {target.label if target else each.label} that you can see."
    if errors:
        raise ValidationError(errors)


def fill_wider(*, shape: ObjectShape, record: Any, object_type: str) -> None:
    """Fill the wider references that are empty from the narrower ones that are not."""
    assigned = shape.get_type(object_type).fields
    for field, narrowing in _list_pairs(shape):
        own = _get_attname(record, narrowing.wider.attribute)
        if narrowing.wider.api_name not in assigned or getattr(record, own) is not None:
            continue
        narrow = getattr(record, field.attribute) if getattr(record, _get_attname(record, field.attribute)) else None
        if narrow is None:
            continue
        twin = narrow._meta.get_field(narrowing.attribute)
        # A record that is at hand goes along, so that nobody has to read it for each of many.
        if twin.is_cached(narrow):
            setattr(record, narrowing.wider.attribute, getattr(narrow, narrowing.attribute))
        else:
            setattr(record, own, getattr(narrow, twin.attname))


def check_narrowings(*, shape: ObjectShape, record: Any, changed: Changed) -> None:
    """Raise ValidationError naming each reference that belongs to another record than those chosen beside it."""
    names = {each.api_name for each, _ in changed}
    errors: dict[str, str] = {}
    for field, narrowing in _list_pairs(shape):
        if field.api_name in errors or not names & {field.api_name, narrowing.wider.api_name}:
            continue
        wider_key = getattr(record, _get_attname(record, narrowing.wider.attribute))
        if wider_key is None or getattr(record, _get_attname(record, field.attribute)) is None:
            continue
        narrow = getattr(record, field.attribute)
        key = getattr(narrow, _get_attname(narrow, narrowing.attribute))
        if key is not None and key != wider_key:
            theirs, wider = getattr(narrow, narrowing.attribute), getattr(record, narrowing.wider.attribute)
            label = narrowing.wider.label
            errors[field.api_name] = f"{narrow} belongs to {theirs}, not to {wider}. Choose another, or change {label}."
    if errors:
        raise ValidationError(errors)


def check_required(*, shape: ObjectShape, record: Any, object_type: str, asked: Collection[str] | None) -> None:
    """Raise ValidationError for fields that the type requires and that are empty; of `asked` alone if that is given."""
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
        and read_value(record=record, field=shape.fields[name]) in _EMPTY
    ]


@lru_cache(maxsize=64)
def _list_pairs(shape: ObjectShape) -> tuple[tuple[ObjectField, Narrowing], ...]:
    # The same for every record that is written under one configuration.
    return tuple((field, each) for field in shape.fields.values() for each in list_narrowings(shape=shape, field=field))


def _get_attname(record: Any, attribute: str) -> str:
    name: str = record._meta.get_field(attribute).attname
    return name


def _is_same(*, record: Any, field: ObjectField, value: Any) -> bool:
    present = read_value(record=record, field=field)
    if field.is_custom and field.reference is not None:
        return bool(present == getattr(value, "uid", value))
    if field.kind == FieldKind.YES_NO and not field.is_custom:
        return bool(present) == bool(value)
    return bool(present == value) or (present in _EMPTY and value in _EMPTY)


def _explain_value(*, field: ObjectField, value: Any) -> str:
    """What is wrong with a value that neither the model nor the database would refuse."""
    if isinstance(value, str) and "\x00" in value:
        return "Null characters are not allowed."
    if field.is_whole and isinstance(value, (Decimal, float)) and value != int(value):
        return "Enter a whole number."
    return _explain_custom(field=field, value=value) if field.is_custom and value not in _EMPTY else ""


def _explain_custom(*, field: ObjectField, value: Any) -> str:
    fits, problem = _CUSTOM[field.kind]
    if not fits(value):
        return problem
    if isinstance(value, dt.datetime) and not EARLIEST <= value <= LATEST:
        return BEYOND
    if field.max_length is not None and len(value) > field.max_length:
        return f"Enter at most {field.max_length:,} characters; these are {len(value):,}."
    if field.is_picklist and value not in field.choice_labels:
        return f"“{value}” is none of the choices: {', '.join(field.choice_labels)}."
    return ""


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _fits_number(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return False
    number = Decimal(value)
    return (
        number.is_finite()
        and len(number.normalize().as_tuple().digits) <= MOST_DIGITS
        and abs(number.adjusted()) <= MOST_DIGITS
    )


# What a custom field takes, and what to say of anything else; the fields of a model are validated by the model.
_CUSTOM: Mapping[FieldKind, tuple[Callable[[Any], bool], str]] = {
    FieldKind.TEXT: (_is_text, "Enter a text."),
    FieldKind.LONG_TEXT: (_is_text, "Enter a text."),
    FieldKind.PICKLIST: (_is_text, "Choose one of the choices."),
    FieldKind.NUMBER: (_fits_number, f"Enter a number of at most {MOST_DIGITS} digits."),
    FieldKind.DATE: (lambda value: type(value) is dt.date, "Enter a date, such as 2026-03-31."),
    FieldKind.DATETIME: (
        lambda value: isinstance(value, dt.datetime) and value.tzinfo is not None,
        "Enter a date and time with its time zone.",
    ),
    FieldKind.YES_NO: (lambda value: isinstance(value, bool), "Enter Yes or No."),
    FieldKind.REFERENCE: (lambda value: hasattr(value, "pk"), "Choose a record."),
}
