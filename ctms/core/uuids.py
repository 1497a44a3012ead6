"""UUIDs as text: read from any spelling, compared as text by the database, and found by what a text says."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Func, TextField, UUIDField


def read_uid(value: Any) -> UUID | None:
    """Return the UUID that a value holds, in any spelling; None if it holds none."""
    if isinstance(value, UUID):
        return value
    try:
        return UUID(str(value)) if value else None
    except ValueError:
        return None


class UuidText(Func):
    """The text of a UUID column with hyphens, `8c1f0d3e-…`, on every database; SQLite stores it without them."""

    function = "CAST"
    template = "%(function)s(%(expressions)s AS text)"
    output_field = TextField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002  Django's signature
        sql, params = compiler.compile(self.source_expressions[0])
        parts = [f"substr({sql}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
        text = " || '-' || ".join(parts)
        # NULL stays NULL instead of becoming four hyphens: in SQLite, NULL || text is NULL.
        return f"({text})", (*params,) * len(parts)


class TextUuid(Func):
    """The UUID that a text with hyphens is, as a column of UUIDs holds it; NULL for a text that is none.

    So that the index of the column is used, where `UuidText` would make a text of each of its values.
    """

    template = "%(expressions)s"
    output_field = UUIDField()
    arity = 1

    def as_postgresql(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002  Django's signature
        sql, params = compiler.compile(self.source_expressions[0])
        form = "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
        return f"(CASE WHEN ({sql}) ~ '{form}' THEN ({sql})::uuid END)", (*params, *params)

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002  Django's signature
        sql, params = compiler.compile(self.source_expressions[0])
        return f"replace({sql}, '-', '')", tuple(params)
