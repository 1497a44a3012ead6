"""Values in JSON: one serializer field per field kind, which shows, reads and describes values for OpenAPI.

Input is not converted between JSON types: "1" in quotes is text, neither a number nor true.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from drf_spectacular.drainage import set_override
from rest_framework import serializers

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.kinds.base import API_MESSAGES, kind_of
from ctms.records.fields.kinds.reference import UID_SCHEMA, read_reference
from ctms.records.fields.references import is_filled_by_another
from ctms.records.fields.values import read_value

# Texts that every record has, though users may leave them empty.
_ALWAYS_FILLED = frozenset({"uid__sys", "name__v", OBJECT_TYPE})


class OutputField(serializers.Field[Any, Any, Any, Any]):
    """Shows a value of a record. Users in custom fields come from the reader in the context, which has loaded them."""

    def __init__(self, *, shape: ObjectShape, field: ObjectField) -> None:
        super().__init__(read_only=True, allow_null=can_be_null(field), help_text=_describe(field))
        self.field = field
        self.kind = kind_of(field)
        choices = [str(value) for value, _ in shape.list_choices(field)]
        described = UID_SCHEMA if field.api_name == "uid__sys" else self.kind.describe_json(choices)
        set_override(self, "field", described)
        if self.kind.json_component:
            set_override(self, "field_component_name", self.kind.json_component)
        elif "enum" in described:
            set_override(self, "field", ChoicesOfField(shape=shape, field=field, values=choices))

    def get_attribute(self, instance: Any) -> Any:
        value = read_value(record=instance, field=self.field)
        if self.field.is_custom and self.field.reference is not None and value is not None:
            return self.context["reader"].people.get(str(value)) or {"uid__sys": str(value), "name__v": None}
        return value

    def to_representation(self, value: Any) -> Any:
        shown = self.kind.to_json(value)
        # A client may send back what it read; for that the uid alone is enough.
        return shown if self.context["reader"].may_name(value) else shown | {"name__v": None}


class ChoicesOfField(serializers.Field[Any, Any, Any, Any]):
    """Describes the values of a picklist for OpenAPI, once for what goes in and what comes out."""

    def __init__(self, *, shape: ObjectShape, field: ObjectField, values: list[str]) -> None:
        super().__init__()
        set_override(self, "field", {"type": "string", "enum": values})
        set_override(self, "field_component_name", f"{shape.api_name}_{field.api_name}")


class UidInput(serializers.UUIDField):
    """Reads a uid that the caller chose, in the form in which uids are shown."""

    default_error_messages = {**API_MESSAGES, "invalid": "Send a UUID in its usual form, in quotes."}

    def to_internal_value(self, data: Any) -> UUID:
        uid = read_reference(data) if isinstance(data, str) else None
        if uid is None:
            self.fail("invalid", value=data)
        return uid


def build_input_field(
    *, shape: ObjectShape, field: ObjectField, is_new: bool = False
) -> serializers.Field[Any, Any, Any, Any]:
    """Build the serializer field that reads values of a field that users can set; new records get no retired one."""
    if is_new and field.retired:
        field = replace(field, choices=tuple(field.offered))
    required = is_required(shape=shape, field=field)
    common: dict[str, Any] = {"required": required, "allow_null": not required, "help_text": _describe(field)}
    model_field = _find_model_field(shape=shape, field=field)
    made = kind_of(field).build_api_field(field=field, shape=shape, model_field=model_field, **common)
    if isinstance(made, serializers.ChoiceField) and not (is_new and field.retired):
        set_override(made, "field", ChoicesOfField(shape=shape, field=field, values=[*map(str, made.choices)]))
    return made


def can_be_null(field: ObjectField) -> bool:
    """Whether a record may have no value, which the API shows as null.

    A custom field may be younger than a record, and a computed one may have nothing to be computed from. A column of
    texts that is not NULL may hold an empty one, unless every record needs a text.
    """
    if field.is_custom or field.is_computed or field.may_be_empty:
        return True
    is_filled = field.is_required or field.api_name in _ALWAYS_FILLED
    return kind_of(field).empty == "" and not is_filled


def is_required(*, shape: ObjectShape, field: ObjectField) -> bool:
    """Whether a new record must be sent with a value, because nothing else fills the field."""
    if field.api_name == OBJECT_TYPE:
        return len([each for each in shape.types.values() if each.is_active and not each.origin]) > 1
    if field.is_custom and (field.default is not None or not _is_everywhere(shape=shape, field=field)):
        return False
    model_field = _find_model_field(shape=shape, field=field)
    has_default = model_field is not None and model_field.has_default()
    return field.is_required and not has_default and not is_filled_by_another(shape=shape, field=field)


def _is_everywhere(*, shape: ObjectShape, field: ObjectField) -> bool:
    return all(field.api_name in each.fields for each in shape.types.values())


def _find_model_field(*, shape: ObjectShape, field: ObjectField) -> models.Field[Any, Any] | None:
    try:
        found = shape.vault_object.model._meta.get_field(field.attribute)
    except FieldDoesNotExist:
        return None
    return found if isinstance(found, models.Field) else None


def _describe(field: ObjectField) -> str:
    return f"{field.label}: {field.help_text}" if field.help_text else field.label
