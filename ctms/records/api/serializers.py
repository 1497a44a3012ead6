"""Serializers for records of any object, built from the object's present configuration without code for any one.

Keys are API names. A client may send back a whole record: values that did not change are ignored, even read-only ones.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils import timezone
from drf_spectacular.drainage import set_override
from rest_framework import serializers
from rest_framework.settings import api_settings

from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.access import ObjectAccess
from ctms.records.api.fields import OutputField, UidInput, build_input_field
from ctms.records.api.references import References
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.values import ValueReader

UID, VERSION = "uid__sys", "version"
# Names of fields whose unusual values the caller says are right.
CONFIRMED = "confirmed__sys"


class RecordSerializer(serializers.Serializer[Any]):
    """Shows a record with all fields of its object, or those of `names`; null for a field without a value."""

    def __init__(
        self, instance: Any = None, *, shape: ObjectShape, names: Collection[str] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(instance, **kwargs)
        self.shape, self.names = shape, names
        set_override(self, "description", f"{shape.vault_object.title}, with all its fields.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        version = serializers.IntegerField(read_only=True, help_text="Goes up with every change; its ETag.")
        shown = {
            name: OutputField(shape=self.shape, field=each)
            for name, each in self.shape.fields.items()
            if self.names is None or name in self.names
        }
        return shown | {VERSION: version}


class PageSerializer(serializers.Serializer[Any]):
    """A page of a list. `next` and `previous` are addresses, null where there is no such page."""

    count = serializers.IntegerField(help_text="How many records the list has, as far as they are counted.")
    count_is_capped = serializers.BooleanField(help_text="Whether there are more than `count`.")
    next = serializers.URLField(allow_null=True)
    previous = serializers.URLField(allow_null=True)

    def __init__(self, instance: Any = None, *, shape: ObjectShape, **kwargs: Any) -> None:
        super().__init__(instance, **kwargs)
        self.shape = shape

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        results: Any = serializers.ListSerializer(child=RecordSerializer(shape=self.shape))
        return super().get_fields() | {"results": results}


class RecordInputSerializer(serializers.Serializer[Any]):
    """Reads values of a record, by API name.

    `validated_data` holds only values that differ from the record's, references as model instances; and `CONFIRMED`.
    """

    def __init__(
        self,
        instance: Any = None,
        *,
        shape: ObjectShape,
        access: ObjectAccess | None = None,
        references: References | None = None,
        **kwargs: Any,
    ) -> None:
        references = references or (References(access=access) if access is not None else None)
        super().__init__(instance, context={"access": access, "references": references}, **kwargs)
        self.shape = shape
        self.shown: Mapping[str, Any] | None = None  # of the instance as JSON, where the caller has it
        set_override(self, "description", f"Values of a {shape.vault_object.label}.")

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        is_new = self.instance is None and not self.partial
        fields = {
            name: build_input_field(shape=self.shape, field=each, is_new=is_new)
            for name, each in self.shape.fields.items()
            if _is_writable(each)
        }
        if is_new:
            fields[UID] = UidInput(
                required=False, help_text="Chosen by you, so that a request that is sent twice creates one record."
            )
        fields[CONFIRMED] = serializers.ListField(
            child=serializers.CharField(),
            required=False,
            max_length=len(self.shape.fields),
            help_text="Names of fields whose unusual values, such as a year 2099, are right.",
            error_messages={"not_a_list": "Send a list of names of fields."},
        )
        return fields

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(
                {api_settings.NON_FIELD_ERRORS_KEY: ["Send a JSON object: names of fields with their values."]}
            )
        shown = self._show()
        changed: dict[str, Any] = {}
        errors: dict[str, Any] = {}
        for name, value in data.items():
            field = self.shape.fields.get(name)
            if name == CONFIRMED:
                changed[name] = value
            elif field is None and name != VERSION:
                errors[name] = f"{self.shape.vault_object.title} has no field of this name. Leave it out."
            elif self._is_same(field=field, value=value, shown=shown.get(name)):
                continue
            elif name not in self.fields:
                errors[name] = f"{field.label if field else 'Version'} is filled by the Vault and cannot be set."
            else:
                changed[name] = value
        try:
            values: dict[str, Any] = super().to_internal_value(changed)
        except serializers.ValidationError as error:
            raise serializers.ValidationError(error.detail | errors) from error  # type: ignore[operator]
        if errors:
            raise serializers.ValidationError(errors)
        return values

    def _show(self) -> Mapping[str, Any]:
        if self.shown is not None or self.instance is None:
            return self.shown or {}
        return show_record(record=self.instance, access=self.context["access"])

    def _is_same(self, *, field: ObjectField | None, value: Any, shown: Any) -> bool:
        if field is None:
            return type(value) is type(shown) and bool(value == shown)
        return kind_of(field).is_same_json(value=value, shown=shown)


def show_record(*, record: Any, access: ObjectAccess) -> dict[str, Any]:
    """Convert a record to JSON."""
    return show_records(records=[record], access=access)[0]


def show_records(
    *, records: Sequence[Any], access: ObjectAccess, names: Collection[str] | None = None
) -> list[dict[str, Any]]:
    """Convert records to JSON with all fields, or those of `names`. What depends on the day is by that of UTC.

    Users in custom fields are loaded in one statement for all records.
    """
    fields = [each for name, each in access.shape.fields.items() if names is None or name in names]
    reader = ValueReader(access=access).load(records=records, fields=fields)
    output = RecordSerializer(shape=access.shape, names=names, context={"reader": reader})
    with timezone.override(dt.UTC):
        return [output.to_representation(record) for record in records]


def _is_writable(field: ObjectField) -> bool:
    return not field.is_read_only or field.api_name == OBJECT_TYPE
