"""UUIDs as people write them, in the database: SQLite keeps them without hyphens."""

from __future__ import annotations

from typing import Any

from django.db.models import Func, TextField


class UuidText(Func):
    """The text of a UUID: `8c1f0d3e-…`, the same on every database."""

    function = "CAST"
    template = "%(function)s(%(expressions)s AS text)"
    output_field = TextField()
    arity = 1

    def as_sqlite(self, compiler: Any, connection: Any, **_context: Any) -> Any:  # noqa: ARG002  Django's signature
        sql, params = compiler.compile(self.source_expressions[0])
        parts = [f"substr({sql}, {start}, {length})" for start, length in ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))]
        text = " || '-' || ".join(parts)
        # Without a value there is no text, rather than four hyphens: SQLite concatenates nothing with NULL.
        return f"({text})", (*params,) * len(parts)
