"""Restores beside what is there: it goes only when the restored database has proved to be what was backed up.

On PostgreSQL what is there is moved into a schema of its own, in one transaction: no right to create databases is
needed, and grants, and the place by which the Vault knows its database (ctms/machine/places.py), stay with the tables.
On SQLite the backup is restored into another file, which takes the place of the first at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg

from ctms.machine.backups import postgresql, sqlite
from ctms.machine.backups.databases import is_postgresql
from ctms.machine.backups.errors import BackupError

ASIDE = "vault_before_restore"


@contextmanager
def replacing(database: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the empty database to restore into. What was there is dropped at the end, or back if anything is raised.

    Raises BackupError if it cannot be moved aside.
    """
    if not is_postgresql(database):
        with sqlite.replacing(database) as beside:
            yield beside
        return
    has_tables = postgresql.has_tables(database)
    if has_tables:
        _set_aside(database)
    try:
        yield database
    except BaseException:
        _put_back(database) if has_tables else postgresql.empty(database)
        raise
    if has_tables:
        _drop_aside(database)


def refuse_interrupted(database: Mapping[str, Any]) -> None:
    """Raise BackupError if an earlier restore was killed: what it was to replace is still aside."""
    if is_postgresql(database) and postgresql.has_schema(database, name=ASIDE):
        raise BackupError(
            f"An earlier restore was interrupted: what was there before it is in the schema {ASIDE}. Put it back with "
            "manage.py restore --put-back, then begin again."
        )


def put_back(database: Mapping[str, Any]) -> None:
    """Drop what an interrupted restore left, and put back what was there before it. Raises BackupError."""
    if not is_postgresql(database) or not postgresql.has_schema(database, name=ASIDE):
        raise BackupError("No restore was interrupted here: nothing is put back.")
    _put_back(database)


def _set_aside(database: Mapping[str, Any]) -> None:
    try:
        postgresql.move_aside(database, schema=ASIDE)
    except psycopg.errors.LockNotAvailable as error:
        raise BackupError(
            "The database is in use. Stop web servers, workers and scheduler, then restore. Nothing was changed."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise BackupError(
            "The database's role owns not all that is in the database, or may create no schema in it. Restore as the "
            f"role that owns the tables; GRANT CREATE ON DATABASE {database['NAME']} TO … lets it create one. Nothing "
            "was changed."
        ) from error


def _put_back(database: Mapping[str, Any]) -> None:
    try:
        postgresql.move_back(database, schema=ASIDE)
    except psycopg.Error as error:
        raise BackupError(
            f"What was there before could not be put back ({type(error).__name__}) and is whole in the schema {ASIDE}. "
            "Stop what uses the database, then put it back with manage.py restore --put-back."
        ) from error


def _drop_aside(database: Mapping[str, Any]) -> None:
    try:
        postgresql.drop_schema(database, name=ASIDE)
    except psycopg.Error as error:
        raise BackupError(
            f"The backup was restored and holds. What was there before it could not be dropped "
            f"({type(error).__name__}): DROP SCHEMA {ASIDE} CASCADE."
        ) from error
