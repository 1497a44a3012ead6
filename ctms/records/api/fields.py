"""Values in JSON: one serializer field per field kind, which shows, reads and describes values for OpenAPI.

Input is not converted between JSON types: "1" in quotes is text, neither a number nor true.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.uuids import read_uid
from ctms.records.access import ObjectAccess
from ctms.records.fields.limits import EARLIEST, LATEST
from ctms.records.fields.references import get_target, is_filled_by_another, list_choices
from ctms.records.fields.values import read_value

_REQUIRED = "This field is required."
_EMPTY_MESSAGES = {"required": _REQUIRED, "null": _REQUIRED, "blank": _REQUIRED}
_LARGEST_NUMBER = 10**15  # what every JSON reader can hold without rounding

_TEXT = {"type": "string"}
_UID = {"type": "string", "format": "uuid"}
_REFERENCE = {
    "type": "object",
    "properties": {"uid__sys": {"type": ["string", "null"], "format": "uuid"}, "name__v": {"type": ["string", "null"]}},
    "required": ["uid__sys", "name__v"],
}
_SCHEMAS: Mapping[FieldKind, Mapping[str, Any]] = {
    FieldKind.NUMBER: {"type": "number"},
    FieldKind.DATE: {"type": "string", "format": "date"},
    FieldKind.DATETIME: {"type": "string", "format": "date-time"},
    FieldKind.YES_NO: {"type": "boolean"},
    FieldKind.REFERENCE: _REFERENCE,
}


def show_value(value: Any) -> Any:
    """Convert a value to JSON: times in UTC, records as uid and name, empty text as null."""
    if isinstance(value, models.Model):
        uid = getattr(value, "uid", None)
        return {"uid__sys": str(uid) if uid else None, "name__v": str(value)}
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, UUID):
        return str(value)
    return None if value == "" else value


class OutputField(serializers.Field[Any, Any, Any, Any]):
    """Shows a value of a record. Users in custom fields come from the reader in the context, which has loaded them."""

    def __init__(self, *, field: ObjectField) -> None:
        super().__init__(read_only=True, allow_null=True, help_text=_describe(field))
        self.field = field
        set_override(self, "field", _UID if field.api_name == "uid__sys" else _SCHEMAS.get(field.kind, _TEXT))
        if field.kind == FieldKind.REFERENCE:
            set_override(self, "field_component_name", "Reference")

    def get_attribute(self, instance: Any) -> Any:
        value = read_value(record=instance, field=self.field)
        if self.field.is_custom and self.field.reference is not None and value is not None:
            return self.context["reader"].people.get(str(value)) or {"uid__sys": str(value), "name__v": None}
        return value

    def to_representation(self, value: Any) -> Any:
        shown = show_value(value)
        # A client may send back what it read; for that the uid alone is enough.
        return shown if self.context["reader"].may_name(value) else shown | {"name__v": None}


class UidInput(serializers.UUIDField):
    """Reads a uid that the caller chose, in the form in which uids are shown."""

    default_error_messages = {**_EMPTY_MESSAGES, "invalid": "Send a UUID in its usual form, in quotes."}

    def to_internal_value(self, data: Any) -> UUID:
        uid = read_reference(data) if isinstance(data, str) else None
        if uid is None:
            self.fail("invalid", value=data)
        return uid


class TextInput(serializers.CharField):
    """Reads text; refuses numbers and other JSON types instead of converting them."""

    default_error_messages = {**_EMPTY_MESSAGES, "invalid": "Send a text in quotes."}

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class PicklistInput(serializers.ChoiceField):
    """Reads one value of a picklist, by API name."""

    default_error_messages = {**_EMPTY_MESSAGES, "invalid_choice": "Choose one of {known}."}

    def __init__(self, *, choices: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(choices=choices, **kwargs)
        values = [value for value, _ in choices]
        set_override(self, "field", {"type": "string", "enum": [*values, None] if self.allow_null else values})

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str) or data not in self.choices:
            self.fail("invalid_choice", known=", ".join(map(str, self.choices)))
        return data


class YesNoInput(serializers.BooleanField):
    """Reads true or false."""

    default_error_messages = {**_EMPTY_MESSAGES, "invalid": "Send true or false, without quotes."}

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


@extend_schema_field({"type": "number", "minimum": -_LARGEST_NUMBER, "maximum": _LARGEST_NUMBER})
class NumberInput(serializers.Field[Decimal, Any, Any, Any]):
    """Reads a JSON number as the decimal that was written."""

    default_error_messages = {
        **_EMPTY_MESSAGES,
        "invalid": "Send a number, without quotes.",
        "too_large": f"Send a number between {-_LARGEST_NUMBER:,} and {_LARGEST_NUMBER:,}.",
    }

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail("invalid")
        if not -_LARGEST_NUMBER <= data <= _LARGEST_NUMBER:
            self.fail("too_large")
        return Decimal(str(data))

    def to_representation(self, value: Any) -> Any:
        return show_value(value)


class WholeNumberInput(serializers.IntegerField):
    """Reads a whole number."""

    default_error_messages = {**_EMPTY_MESSAGES, "invalid": "Send a whole number, without quotes."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not (isinstance(data, int) or (isinstance(data, float) and data.is_integer())):
            self.fail("invalid")
        return int(data)


class DayInput(serializers.DateField):
    """Reads a date in ISO 8601 format."""

    default_error_messages = {
        **_EMPTY_MESSAGES,
        "invalid": "Send a date as YYYY-MM-DD, in quotes.",
        "datetime": "Send a date as YYYY-MM-DD, in quotes.",
    }

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class MomentInput(serializers.DateTimeField):
    """Reads a date and time in ISO 8601 format; in UTC unless it names an offset."""

    default_error_messages = {
        **_EMPTY_MESSAGES,
        "invalid": "Send a date and time as YYYY-MM-DDThh:mm:ssZ, in quotes.",
        "date": "Send a date and time as YYYY-MM-DDThh:mm:ssZ, in quotes.",
        "beyond": f"Send a moment between {EARLIEST.date()} and {LATEST.date()}.",
    }

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(default_timezone=dt.UTC, **kwargs)

    def to_internal_value(self, value: Any) -> Any:
        if not isinstance(value, str):
            self.fail("invalid", format="")
        moment = super().to_internal_value(value)
        if not EARLIEST <= moment <= LATEST:
            self.fail("beyond")
        return moment


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "uuid"},
            {"type": "object", "properties": {"uid__sys": _UID}, "required": ["uid__sys"]},
        ]
    },
    component_name="ReferenceInput",
)
class ReferenceInput(serializers.Field[Any, Any, Any, Any]):
    """Reads a reference to an active record that the user sees: its uid, or the object that shows a reference."""

    default_error_messages = {
        **_EMPTY_MESSAGES,
        "invalid": "Send the uid of a record, in quotes.",
        "unknown": "Choose an active {noun} that you can see; {uid} is none.",
    }

    def __init__(self, *, field: ObjectField, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.field = field

    def to_internal_value(self, data: Any) -> Any:
        uid = read_reference(data)
        if uid is None:
            self.fail("invalid")
        access: ObjectAccess = self.context["access"]
        records = list_choices(access=access, field=self.field)
        record = records.filter(uid=uid).first() if records is not None else None
        if record is None:
            target = get_target(self.field)
            self.fail("unknown", noun=target.label if target else self.field.label, uid=uid)
        return record

    def to_representation(self, value: Any) -> Any:
        return show_value(value)


def read_reference(data: Any) -> UUID | None:
    """Return the uid in a reference, which is a uid or an object with `uid__sys`; None if it holds no valid uid."""
    text = data.get("uid__sys") if isinstance(data, dict) else data
    uid = read_uid(text) if isinstance(text, str) else None
    return uid if str(uid) == str(text).lower() else None


def build_input_field(*, shape: ObjectShape, field: ObjectField) -> serializers.Field[Any, Any, Any, Any]:
    """Build the serializer field that reads values of a field that users can set."""
    required = is_required(shape=shape, field=field)
    common: dict[str, Any] = {"required": required, "allow_null": not required, "help_text": _describe(field)}
    if field.kind == FieldKind.REFERENCE:
        return ReferenceInput(field=field, **common)
    if field.kind == FieldKind.PICKLIST:
        return PicklistInput(choices=shape.list_choices(field), **common)
    if field.kind in _PLAIN:
        return _PLAIN[field.kind](_find_model_field(shape=shape, field=field), common)
    return TextInput(max_length=field.max_length, allow_blank=not required, **common)


def _build_number(model_field: Any, common: dict[str, Any]) -> serializers.Field[Any, Any, Any, Any]:
    if not isinstance(model_field, models.IntegerField):
        return NumberInput(**common)
    return WholeNumberInput(validators=model_field.validators, **common)


_PLAIN: Mapping[FieldKind, Callable[[Any, dict[str, Any]], serializers.Field[Any, Any, Any, Any]]] = {
    FieldKind.YES_NO: lambda _field, common: YesNoInput(**common),
    FieldKind.DATE: lambda _field, common: DayInput(**common),
    FieldKind.DATETIME: lambda _field, common: MomentInput(**common),
    FieldKind.NUMBER: _build_number,
}


def is_required(*, shape: ObjectShape, field: ObjectField) -> bool:
    """Whether a new record must be sent with a value, because nothing else fills the field."""
    if field.api_name == OBJECT_TYPE:
        return len([each for each in shape.types.values() if each.is_active and not each.origin]) > 1
    model_field = _find_model_field(shape=shape, field=field)
    has_default = model_field is not None and model_field.has_default()
    return field.is_required and not has_default and not is_filled_by_another(shape=shape, field=field)


def _find_model_field(*, shape: ObjectShape, field: ObjectField) -> models.Field[Any, Any] | None:
    try:
        found = shape.vault_object.model._meta.get_field(field.attribute)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _describe(field: ObjectField) -> str:
    return f"{field.label}: {field.help_text}" if field.help_text else field.label
