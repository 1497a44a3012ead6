"""Database expressions of fields, to filter and sort by: a column, or a value in the JSON of custom fields."""

from __future__ import annotations

from typing import Any

from django.db.models import F, QuerySet
from django.db.models.expressions import Combinable

from ctms.configuration.fields import ObjectField
from ctms.records.fields.kinds.base import kind_of


def build_value(field: ObjectField) -> Combinable:
    """Return an expression for a field's value. Custom dates and times are ISO texts, Yes/No is `true` or `false`."""
    return kind_of(field).build_value(field) if field.is_custom else F(field.attribute)


def name_value(*, records: QuerySet[Any], field: ObjectField) -> tuple[QuerySet[Any], str]:
    """Return the records, annotated if necessary, and the name under which they can be filtered by the field."""
    if not field.is_custom:
        return records, field.attribute
    name = f"custom_{field.api_name.replace('__', '_')}"
    return records.alias(**{name: build_value(field)}), name
