"""The rows of the Vault's database, kept and put back: what a test whose commits are real leaves behind is gone then.

Django would truncate every table, and deliver again what is delivered after migrations. On PostgreSQL, where a
truncated table and each of its indexes is a new file, that takes seconds. Few tables have rows, though: they are
emptied and what was kept is written in milliseconds. Sequences go on: a number that was given is not given again.
"""

# ruff: noqa: S608  names in SQL are those of the models' tables and columns; every value is a parameter

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.core.management.color import no_style
from django.db import connection, transaction

PutBack = Callable[[], None]


def keep_rows() -> PutBack:
    """Keep the committed rows of all models. Return a function that puts them back in place of those of that moment.

    The tables must be the same then, with columns of the same names. Nothing else may be in the midst of a transaction.
    """
    tables = connection.introspection.django_table_names(only_existing=True, include_views=False)
    keep = _keep_postgresql if connection.vendor == "postgresql" else _keep_sqlite
    replace = keep(_find_filled(tables))

    def put_back() -> None:
        with connection.constraint_checks_disabled(), transaction.atomic():
            replace(_find_filled(tables))

    return put_back


def delete_rows() -> None:
    """Delete the rows of all models, and begin their numbers again; `manage.py flush` is refused by the audit trail."""
    filled = _find_filled(connection.introspection.django_table_names(only_existing=True, include_views=False))
    with (
        connection.constraint_checks_disabled(),
        transaction.atomic(),
        connection.cursor() as cursor,
        without_triggers(cursor),
    ):
        for table in filled:
            cursor.execute(f'DELETE FROM "{table}"')
        sequences = connection.introspection.sequence_list()
        for statement in connection.ops.sequence_reset_by_name_sql(no_style(), sequences):
            cursor.execute(statement)
        if connection.vendor == "postgresql":
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


@contextmanager
def without_triggers(cursor: Any) -> Iterator[None]:
    """Switch the triggers of all tables off in the `with` block. It takes the owner of the tables, as migrations do."""
    if connection.vendor == "postgresql":
        cursor.execute("SELECT tgrelid::regclass, tgname, tgenabled FROM pg_trigger WHERE NOT tgisinternal")
        guards = cursor.fetchall()
        for table, name, _ in guards:
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER {name}")
        yield
        for table, name, state in guards:
            cursor.execute(f"ALTER TABLE {table} ENABLE {'ALWAYS ' if state == 'A' else ''}TRIGGER {name}")
        return
    cursor.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
    triggers = cursor.fetchall()
    for name, _ in triggers:
        cursor.execute(f'DROP TRIGGER "{name}"')
    yield
    for _, text in triggers:
        cursor.execute(text)


def _find_filled(tables: Iterable[str]) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            " UNION ALL ".join(f"SELECT '{table}' WHERE EXISTS (SELECT 1 FROM \"{table}\")" for table in tables)
        )
        return [table for (table,) in cursor.fetchall()]


# -- SQLite ---------------------------------------------------------------------------------------
def _keep_sqlite(tables: Iterable[str]) -> Callable[[Iterable[str]], None]:
    """Keep the rows of these tables, as SQLite has them. Return a function that replaces the rows of others by them."""
    kept: dict[str, list[Any]] = {}
    with closing(sqlite3.connect(connection.settings_dict["NAME"])) as reader:
        for table in tables:
            rows = reader.execute(f'SELECT * FROM "{table}"')
            columns = ", ".join(f'"{name}"' for name, *_ in rows.description)
            places = ", ".join("?" for _ in rows.description)
            kept[f'INSERT INTO "{table}" ({columns}) VALUES ({places})'] = rows.fetchall()

    def replace(filled: Iterable[str]) -> None:
        with connection.cursor() as cursor, without_triggers(cursor):
            for table in filled:
                connection.connection.execute(f'DELETE FROM "{table}"')
            for statement, rows in kept.items():
                connection.connection.executemany(statement, rows)

    return replace


# -- PostgreSQL -----------------------------------------------------------------------------------
def _keep_postgresql(tables: Iterable[str]) -> Callable[[Iterable[str]], None]:
    """Keep the rows of these tables. Return a function that replaces the rows of others by them."""
    kept: dict[str, bytes] = {}
    with connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'SELECT * FROM "{table}" LIMIT 0')
            columns = ", ".join(f'"{column.name}"' for column in cursor.description)
            with cursor.copy(f'COPY "{table}" ({columns}) TO STDOUT') as rows:
                kept[f'COPY "{table}" ({columns}) FROM STDIN'] = b"".join(rows)

    def replace(filled: Iterable[str]) -> None:
        with connection.cursor() as cursor, without_triggers(cursor):
            for table in filled:
                cursor.execute(f'DELETE FROM "{table}"')
            for statement, rows in kept.items():
                with cursor.copy(statement) as copy:
                    copy.write(rows)
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")

    return replace
