"""Saves and restores the state of the Vault's database and of the CRM organisation's data file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg import sql

from tests.crm_sync.world import World

Restore = Callable[[], None]


@contextmanager
def take_snapshot(world: World) -> Iterator[Restore]:
    """Save the state of `world` and yield a function that restores it.

    Only for tests in which nothing else is connected to the Vault's database (`transactional_db`).
    """
    with ExitStack() as stack:
        restore_vault = stack.enter_context(take_vault_snapshot())
        restore_crm = stack.enter_context(_copy_organisation(world))

        def restore() -> None:
            restore_vault()
            restore_crm()

        yield restore


@contextmanager
def take_vault_snapshot() -> Iterator[Restore]:
    """Save the state of the Vault's database alone, like `take_snapshot` and under the same condition."""
    database = connections[DEFAULT_DB_ALIAS]
    copy = _copy_postgresql if database.vendor == "postgresql" else _copy_sqlite
    with copy(database) as restore:
        yield restore


@contextmanager
def _copy_sqlite(database: Any) -> Iterator[Restore]:
    database.ensure_connection()
    with closing(sqlite3.connect(":memory:")) as copy:
        database.connection.backup(copy)
        yield lambda: copy.backup(database.connection)


@contextmanager
def _copy_postgresql(database: Any) -> Iterator[Restore]:
    parameters = {**database.get_connection_params(), "dbname": "postgres", "autocommit": True}
    for option in ("context", "cursor_factory", "prepare_threshold", "server_side_binding"):
        parameters.pop(option, None)
    original = str(database.settings_dict["NAME"])
    copy = f"{original}_snapshot"

    def clone(*, source: str, target: str) -> None:
        database.close()
        names = {"source": sql.Identifier(source), "target": sql.Identifier(target)}
        with psycopg.connect(**parameters) as server:
            server.execute(sql.SQL("DROP DATABASE IF EXISTS {target} WITH (FORCE)").format(**names))
            server.execute(sql.SQL("CREATE DATABASE {target} TEMPLATE {source}").format(**names))

    clone(source=original, target=copy)
    try:
        yield lambda: clone(source=copy, target=original)
    finally:
        with psycopg.connect(**parameters) as server:
            server.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(copy)))


@contextmanager
def _copy_organisation(world: World) -> Iterator[Restore]:
    data = world.crm.organisation.database
    with closing(sqlite3.connect(":memory:")) as copy:
        with data.lock:
            data._connection.backup(copy)

        def restore() -> None:
            with data.lock:
                copy.backup(data._connection)

        yield restore
