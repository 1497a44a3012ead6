"""Database expressions of fields, to filter and sort by: a column, or a value in the JSON of custom fields."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from ctms.configuration.fields import ObjectField
from ctms.records.fields.kinds.base import kind_of


def build_value(field: ObjectField) -> Combinable:
    """Return an expression for a field's value. Custom dates and times are ISO texts, Yes/No is `true` or `false`."""
    if not field.is_custom:
        return F(field.attribute)
    # Not a look-up path: Django would read the two underscores of the API name as a step into the JSON.
    text = KeyTextTransform(field.api_name, "custom_fields")
    # A cast to text, so that Django does not apply its JSON look-ups.
    return Cast(text, kind_of(field).custom_column())


def name_value(*, records: QuerySet[Any], field: ObjectField) -> tuple[QuerySet[Any], str]:
    """Return the records, annotated if necessary, and the name under which they can be filtered by the field."""
    if not field.is_custom:
        return records, field.attribute
    name = f"custom_{field.api_name.replace('__', '_')}"
    return records.alias(**{name: build_value(field)}), name
