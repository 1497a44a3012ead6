"""UUIDs as text: read from any spelling, and compared as text by the database."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import Func, TextField


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
