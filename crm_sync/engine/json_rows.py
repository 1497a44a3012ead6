"""Insert many rows in one statement that takes them all as one JSON text.

With a parameter for each value of each row, as `bulk_create` makes it, a statement costs several times as much.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connection, models

from ctms.core.json_text import encode_as_django, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# How each database reads a value of the rows. SQLite stores a UUID without hyphens.
_POSTGRESQL_TYPES = {
    models.UUIDField: "uuid",
    models.JSONField: "jsonb",
    models.DateTimeField: "timestamptz",
    models.BooleanField: "boolean",
    models.PositiveIntegerField: "bigint",
    models.PositiveBigIntegerField: "bigint",
}


def insert_rows(
    *,
    model: type[models.Model],
    common: Mapping[str, Any],
    columns: Sequence[str],
    rows: Sequence[Mapping[str, Any]],
    unique: Sequence[str] = (),
    update: Sequence[str] = (),
) -> None:
    """Insert `rows`, each with `columns`, all of them with the values of `common`; names are those of columns.

    Where there is a row with the same `unique` columns, its `update` columns get the values instead.
    """
    if not rows:
        return
    ours = ", ".join(f'"{name}"' for name in (*common, *columns))
    values = ", ".join([*["%s"] * len(common), *(_read_value(model, name) for name in columns)])
    conflict = ""
    if unique:
        assigned = ", ".join(f'"{name}" = excluded."{name}"' for name in update)
        # SQLite would take ON of ON CONFLICT for that of a join if there were no WHERE.
        conflict = f" WHERE true ON CONFLICT ({', '.join(unique)}) DO UPDATE SET {assigned}"
    statement = (
        f"INSERT INTO {model._meta.db_table} ({ours}) SELECT {values} FROM {_read_rows(model, columns)}{conflict}"  # noqa: S608  names of our own
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*common.values(), write_json(rows, default=encode_as_django).decode()])


def _read_value(model: type[models.Model], name: str) -> str:
    if connection.vendor == "postgresql":
        return f'noted."{name}"'
    read = f"json_extract(value, '$.{name}')"
    return f"replace({read}, '-', '')" if isinstance(model._meta.get_field(name), models.UUIDField) else read


def _read_rows(model: type[models.Model], columns: Sequence[str]) -> str:
    if connection.vendor != "postgresql":
        return "json_each(%s)"
    types = ", ".join(f'"{name}" {_find_type(model._meta.get_field(name))}' for name in columns)
    return f"json_to_recordset(%s) AS noted ({types})"


def _find_type(field: Any) -> str:
    return next((name for kind, name in _POSTGRESQL_TYPES.items() if isinstance(field, kind)), "text")
