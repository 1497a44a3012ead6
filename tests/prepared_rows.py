"""Rows that many tests begin with: services make them once in a process, later tests get them as they were made.

Connecting the Vault to a CRM takes a hundred statements, each through the ORM, checks and the audit trail. The rows
that come of it are written in one statement a table. Where a test begins otherwise, say with other settings, the
services make them anew.
"""

# ruff: noqa: S608  names in SQL are those of the models' tables and columns; every value is a parameter

from __future__ import annotations

import copy
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import time_machine
from django.apps import apps
from django.db import connection
from django.db.models import NOT_PROVIDED, Model

from ctms.audit.models import AuditEntry

MadeT = TypeVar("MadeT")
Rows = dict[type[Model], frozenset[tuple[Any, ...]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept(Generic[MadeT]):
    """What `make` returned, which tables had rows before it, and the rows of those that it wrote, before and after."""

    made: MadeT
    filled: frozenset[str]
    before: Rows
    after: Rows


class PreparedRows(Generic[MadeT]):
    """Rows by what they are made for, such as the name of a connection."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept[MadeT]] = {}

    def provide(self, key: Hashable, make: Callable[[], MadeT]) -> MadeT:
        """Let `make` write its rows, or write what it wrote before. Return what it returned, or a copy of that.

        What `make` writes and returns must follow from the key and from the rows that are there. Nothing is kept or
        taken outside of a transaction, whose end `make` may wait for, nor while a test moves the clock.
        """
        if not connection.in_atomic_block or time_machine.escape_hatch.is_travelling():
            return make()
        filled = _find_filled()
        kept = self._kept.get(key)
        if kept is not None and kept.filled == filled and _read(kept.before) == kept.before:
            for model, rows in kept.after.items():
                _write(model, old=kept.before[model] - rows, new=rows - kept.before[model])
            return copy.deepcopy(kept.made)
        before = _read(_list_models())
        made = make()
        after = {model: rows for model, rows in _read(before).items() if rows != before[model]}
        self._kept[key] = _Kept(
            made=copy.deepcopy(made), filled=filled, before={model: before[model] for model in after}, after=after
        )
        return made


def _list_models() -> list[type[Model]]:
    return [model for model in apps.get_models(include_auto_created=True) if model._meta.managed]


def _find_filled() -> frozenset[str]:
    tables = {model._meta.db_table for model in _list_models()}
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in sorted(tables))
        )
        return frozenset(table for (table,) in cursor.fetchall())


def _read(models: Iterable[type[Model]]) -> Rows:
    """Return the rows of models as the database holds them: the key, then the columns (on PostgreSQL as one JSON)."""
    rows: Rows = {}
    with connection.cursor() as cursor:
        for model in models:
            table, key = model._meta.db_table, model._meta.pk.column
            if connection.vendor == "postgresql":
                cursor.execute(f'SELECT "{key}", to_jsonb("{table}")::text FROM "{table}"')
            else:
                # With a sign in front, values have no declared type, by which Django would convert them.
                columns = ", ".join(f'+"{name}"' for name in [key, *_list_columns(model)])
                cursor.execute(f'SELECT {columns} FROM "{table}"')
            rows[model] = frozenset(cursor.fetchall())
    return rows


def _write(model: type[Model], *, old: frozenset[tuple[Any, ...]], new: frozenset[tuple[Any, ...]]) -> None:
    """Replace rows of a model by others. Constraints hold when the transaction ends, as always."""
    table, key = model._meta.db_table, model._meta.pk.column
    columns = _list_columns(model)
    names = ", ".join(f'"{name}"' for name in columns)
    rows = sorted(new, key=lambda row: row[0])
    with connection.cursor() as cursor:
        for gone in old:
            cursor.execute(f'DELETE FROM "{table}" WHERE "{key}" = %s', [gone[0]])
        if connection.vendor == "postgresql":
            source = f'jsonb_populate_recordset(NULL::"{table}", %s::jsonb)'
            cursor.execute(
                f'INSERT INTO "{table}" ({names}) SELECT {names} FROM {source}',
                [f"[{','.join(row[1] for row in rows)}]"],
            )
        else:
            places = ", ".join(["%s"] * len(columns))
            cursor.executemany(f'INSERT INTO "{table}" ({names}) VALUES ({places})', [row[1:] for row in rows])


def _list_columns(model: type[Model]) -> list[str]:
    """Return the columns that are written. The database fills the others: it numbers and dates audit entries itself."""
    return [
        str(field.column)
        for field in model._meta.concrete_fields
        if (field.db_default is NOT_PROVIDED or field.has_default()) and not (field.primary_key and model is AuditEntry)
    ]
