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


class OutputField(serializers.Field[Any, Any, Any, Any]):
    """Shows a value of a record. Users in custom fields come from the reader in the context, which has loaded them."""

    def __init__(self, *, field: ObjectField) -> None:
        super().__init__(read_only=True, allow_null=True, help_text=_describe(field))
        self.field = field
        self.kind = kind_of(field)
        set_override(self, "field", UID_SCHEMA if field.api_name == "uid__sys" else dict(self.kind.json_schema))
        if self.kind.json_component:
            set_override(self, "field_component_name", self.kind.json_component)

    def get_attribute(self, instance: Any) -> Any:
        value = read_value(record=instance, field=self.field)
        if self.field.is_custom and self.field.reference is not None and value is not None:
            return self.context["reader"].people.get(str(value)) or {"uid__sys": str(value), "name__v": None}
        return value

    def to_representation(self, value: Any) -> Any:
        shown = self.kind.to_json(value)
        # A client may send back what it read; for that the uid alone is enough.
        return shown if self.context["reader"].may_name(value) else shown | {"name__v": None}


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
    return kind_of(field).build_api_field(field=field, shape=shape, model_field=model_field, **common)


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
