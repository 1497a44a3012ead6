"""Numbers of days in statements of the database."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db.models import DateField, Func, IntegerField, Value


class DaysUntil(Func):
    """How many days a day is after that of a column; NULL if the column is. `column` is the name of a field."""

    output_field = IntegerField()
    arity = 2

    def __init__(self, column: Any, day: Any, **extra: Any) -> None:
        super().__init__(column, Value(day, DateField()) if isinstance(day, dt.date) else day, **extra)

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:  # noqa: ARG002  Django's signature
        return self._join(compiler, "(%s::date - %s)")

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:  # noqa: ARG002  Django's signature
        return self._join(compiler, "CAST(julianday(%s) - julianday(%s) AS INTEGER)")

    def _join(self, compiler: Any, template: str) -> tuple[str, list[Any]]:
        column, day = (compiler.compile(each) for each in self.get_source_expressions())
        return template % (day[0], column[0]), [*day[1], *column[1]]
