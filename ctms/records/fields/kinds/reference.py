"""A reference to a record of an object, or to a user."""

from __future__ import annotations

import json
from typing import Any, Protocol
from uuid import UUID

from django import forms
from django.db import models
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.errors import VaultError
from ctms.core.uuids import read_uid
from ctms.records.fields.kinds.base import API_MESSAGES, ApiField, Asked, Kind, register_kind
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.references import get_target

UID_SCHEMA = {"type": "string", "format": "uuid"}


def show_reference(value: Any) -> dict[str, str | None]:
    """Return a record as the API shows a reference to it."""
    uid = getattr(value, "uid", None)
    return {"uid__sys": str(uid) if uid else None, "name__v": str(value)}


def read_reference(data: Any) -> UUID | None:
    """Return the uid in a reference, which is a uid or an object with `uid__sys`; None if it holds no valid uid."""
    text = data.get("uid__sys") if isinstance(data, dict) else data
    uid = read_uid(text) if isinstance(text, str) else None
    return uid if str(uid) == str(text).lower() else None


class ReferenceLookup(Protocol):
    """Finds what the references of many records name. The context of a serializer has one as `references`."""

    def find(self, *, field: ObjectField, data: Any) -> Any:
        """Return the record that `data`, a uid or a key, names among those that may be chosen; None if there is none.

        Raises VaultError if it is neither, or if several records have the key.
        """


@extend_schema_field(
    {
        "oneOf": [
            {"type": "string", "format": "uuid"},
            {
                "type": "object",
                "description": "Its uid, or another key of the object.",
                "properties": {"uid__sys": UID_SCHEMA, "external_id__v": {"type": "string"}},
                "additionalProperties": True,
                "minProperties": 1,
            },
        ]
    },
    component_name="ReferenceInput",
)
class ReferenceInput(serializers.Field[Any, Any, Any, Any]):
    """Reads a reference to an active record that the user sees: its uid, the object that shows one, or a key."""

    default_error_messages = {
        **API_MESSAGES,
        "invalid": "Send the uid of a record, in quotes.",
        "unknown": "Choose an active {noun} that you can see; {uid} is none.",
    }

    def __init__(self, *, field: ObjectField, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.field = field

    def to_internal_value(self, data: Any) -> Any:
        uid = read_reference(data)
        if uid is None and not isinstance(data, dict):
            self.fail("invalid")
        references: ReferenceLookup = self.context["references"]
        try:
            record = references.find(field=self.field, data=data)
        except VaultError as error:
            raise serializers.ValidationError(str(error), code=getattr(error, "code", "invalid")) from error
        if record is None:
            target = get_target(self.field)
            shown = uid or json.dumps(data, ensure_ascii=False)
            self.fail("unknown", noun=target.label if target else self.field.label, uid=shown)
        return record

    def to_representation(self, value: Any) -> Any:
        return show_reference(value)


@register_kind
class ReferenceKind(Kind):
    """A reference. A custom field keeps the uid of a record of the object that an admin chose."""

    name = "reference"
    label = "Reference"
    model_fields = (models.ForeignKey,)
    custom_names = {"reference": "Reference"}
    can_be_unique = True
    options = frozenset({"reference_object"})
    refers_to_records = True
    is_groupable = True
    is_wide_inline = True
    json_schema = {
        "type": "object",
        "properties": {
            "uid__sys": UID_SCHEMA,
            "name__v": {"type": ["string", "null"], "description": "Null where you may not see it."},
        },
        "required": ["uid__sys", "name__v"],
    }
    json_component = "Reference"

    def read(self, stored: Any) -> UUID:
        return UUID(stored)

    def store(self, value: Any) -> str:
        return str(getattr(value, "uid", value))

    def show_default(self, *, stored: Any, field: ObjectField) -> str:
        record = field.reference._base_manager.filter(uid=stored).first() if field.reference else None
        return str(record) if record is not None else str(stored)

    def explain(self, *, value: Any, field: ObjectField) -> str:
        del field
        return "" if hasattr(value, "pk") else "Choose a record."

    def get_key(self, value: Any, *, field: ObjectField) -> Any:
        return getattr(value, "uid" if field.is_custom else "pk", value)

    def build_form_field(self, asked: Asked, **common: Any) -> forms.Field:
        return ReferenceField(
            access=asked.access, field=asked.field, chosen=asked.chosen, present=asked.present, **common
        )

    def explain_missing(self, made: forms.Field) -> str:
        noun = made.noun if isinstance(made, ReferenceField) else "record"
        article = "an" if noun[:1] in "aeiou" else "a"
        return f"Choose {article} {noun} from the list, or type the exact name."

    def advise(self, field: ObjectField) -> str:
        target = get_target(field)
        return f"Name, external ID or UID of a {target.label if target else field.label.lower()}."

    def build_api_field(
        self, *, field: ObjectField, shape: ObjectShape, model_field: models.Field[Any, Any] | None, **common: Any
    ) -> ApiField:
        del shape, model_field
        return ReferenceInput(field=field, **common)

    def to_json(self, value: Any) -> Any:
        # What a user may not see was told as such an object before.
        return value if isinstance(value, dict) else show_reference(value)

    def is_same_json(self, *, value: Any, shown: Any) -> bool:
        if shown is None:
            return value is None
        uid = read_reference(value)
        return uid is not None and str(uid) == shown["uid__sys"]
