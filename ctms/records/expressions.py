"""Under which name the database filters and sorts by a field: its attribute, or an expression over custom fields."""

from __future__ import annotations

from typing import Any

from django.db.models import F, FloatField, QuerySet, TextField
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField


def build_value(field: ObjectField) -> Combinable:
    """The value of a field in a statement. Custom dates and times are ISO texts, yes and no are `true` and `false`."""
    if not field.is_custom:
        return F(field.attribute)
    # Not by a path: the two underscores of its API name would be read as a step into the value.
    text = KeyTextTransform(field.api_name, "custom_fields")
    # As a plain text, to which no look-up of JSON applies.
    return Cast(text, FloatField() if field.kind == FieldKind.NUMBER else TextField())


def name_value(*, records: QuerySet[Any], field: ObjectField) -> tuple[QuerySet[Any], str]:
    """The records, and the name by which they can be filtered by the field."""
    if not field.is_custom:
        return records, field.attribute
    name = f"custom_{field.api_name.replace('__', '_')}"
    return records.alias(**{name: build_value(field)}), name
