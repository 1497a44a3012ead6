"""Saves and restores the state of the Vault's database and of the CRM organisation's data file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from django.db import connection as database

from tests.crm_sync.world import World
from tests.rows import keep_rows

Restore = Callable[[], None]


@contextmanager
def take_snapshot(world: World) -> Iterator[Restore]:
    """Save the state of `world` and yield a function that restores it.

    Only for tests in which nothing else is connected to the Vault's database (`transactional_db`).
    """
    restore_vault = take_vault_snapshot()
    with _copy_organisation(world) as restore_crm:

        def restore() -> None:
            restore_vault()
            restore_crm()

        yield restore


def take_vault_snapshot() -> Restore:
    """Save the state of the Vault's database alone, like `take_snapshot` and under the same condition."""
    put_back = keep_rows()

    def restore() -> None:
        database.close()  # as a dead process leaves it
        put_back()

    return restore


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
