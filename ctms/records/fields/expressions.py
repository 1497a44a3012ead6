"""Database expressions of fields, to filter and sort by: a column, or a value in the JSON of custom fields."""

from __future__ import annotations

from typing import Any

from django.db.models import F, Func, QuerySet, TextField
from django.db.models.expressions import Combinable

from ctms.configuration.fields import ObjectField
from ctms.records.fields.kinds.base import kind_of


def build_value(field: ObjectField) -> Combinable:
    """Return an expression for a field's value. Custom dates and times are ISO texts, Yes/No is `true` or `false`."""
    return kind_of(field).build_value(field) if field.is_custom else F(field.attribute)


def name_value(*, records: QuerySet[Any], field: ObjectField) -> tuple[QuerySet[Any], str]:
    """Return the records, annotated if necessary, and the name under which they can be filtered by the field."""
    names: dict[str, Any] = {}
    name = name_custom(field=field, names=names)
    return (records.alias(**names) if names else records), name


def name_custom(*, field: ObjectField, names: dict[str, Any]) -> str:
    """Return the name under which records can be filtered by the field.

    For a custom field it is that of an alias, which is added to `names` for `QuerySet.alias`.
    """
    if not field.is_custom:
        return field.attribute
    name = f"custom_{field.api_name.replace('__', '_')}"
    names[name] = build_value(field)
    return name


class UuidText(Func):
    """The text of a UUID column as JSON holds it, with hyphens. SQLite keeps the column without them."""

    function = ""
    template = "%(expressions)s::text"
    arity = 1
    output_field = TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        column = "%(expressions)s"
        parts = [
            f"substr({column}, {first}, {length})" for first, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
        ]
        return self.as_sql(compiler, connection, template="(" + " || '-' || ".join(parts) + ")", **context)
