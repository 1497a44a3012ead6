"""Conditions of many keys or uids."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import EmptyResultSet
from django.db.models import Field, ForeignObject, Lookup, Q, UUIDField

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID


class AmongKeys(Lookup):
    """`study__among=[1, 2]` is true of what `study__in=[1, 2]` is true of, for any number of integer keys, or of uids.

    The keys are one parameter of the statement. Each key of `in` is one of its own, which costs more to write into the
    statement than to look up.
    """

    lookup_name = "among"
    prepare_rhs = False

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:  # type: ignore[override]
        left, parameters = self._write_left(compiler, connection)
        listed = "(SELECT value FROM json_each(%s))"
        return f"{left} IN {listed}", [*parameters, json.dumps([getattr(each, "hex", each) for each in self.rhs])]

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, parameters = self._write_left(compiler, connection)
        kind = "uuid" if isinstance(self.lhs.output_field, UUIDField) else "bigint"
        return f"{left} = ANY(%s::{kind}[])", [*parameters, list(self.rhs)]

    def _write_left(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        if not self.rhs:
            raise EmptyResultSet
        left, parameters = self.process_lhs(compiler, connection)
        return left, list(parameters)


class AmongManyKeys(AmongKeys):
    """As `AmongKeys`, for thousands of primary keys that are joined as a table.

    PostgreSQL would compare each with each, if another condition named keys of the same column.
    """

    lookup_name = "among_many"

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        left, parameters = self._write_left(compiler, connection)
        return f"{left} IN (SELECT unnest(%s::bigint[]))", [*parameters, list(self.rhs)]


Field.register_lookup(AmongKeys)
Field.register_lookup(AmongManyKeys)
ForeignObject.register_lookup(AmongKeys)  # references do not inherit the look-ups of fields


def build_among(path: str, keys: Collection[int] | Collection[UUID]) -> Q:
    """Return the condition that the reference, key or uid at `path` is one of these."""
    return Q(**{f"{path}__{AmongKeys.lookup_name}": keys})
