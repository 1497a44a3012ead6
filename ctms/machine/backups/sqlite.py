"""A SQLite database: copied by its own backup interface, which waits for writers, and described from the copy."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from ctms.core.sqlite.texts import support_texts
from ctms.machine.backups.digests import TableState, read_sqlite_tables
from ctms.machine.backups.errors import BackupError

DUMP = "database.sqlite3"
_WAIT_SECONDS = 60
_BESIDE = ("-wal", "-shm", "-journal")


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database that is there. Raises BackupError if it is none."""
    with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
        support_texts(connection)
        try:
            yield connection
        except sqlite3.DatabaseError as error:
            raise BackupError(f"{path} cannot be read ({error}).") from error


def get_path(database: Mapping[str, Any]) -> Path:
    """Return the file of a database."""
    return Path(str(database["NAME"]))


def dump(database: Mapping[str, Any], *, folder: Path) -> str:
    """Copy the database, as it is at one moment; return the version of SQLite."""
    path = folder / DUMP
    path.touch(mode=0o600)
    with connect(get_path(database)) as source, closing(sqlite3.connect(path)) as target:
        source.backup(target)
        # One file without a log beside it.
        target.execute("PRAGMA journal_mode=DELETE")
    return f"SQLite {sqlite3.sqlite_version}"


def restore(path: Path, *, database: Mapping[str, Any]) -> None:
    """Copy the file of a dump into a database that is not there yet."""
    target = get_path(database)
    target.touch(mode=0o600)
    with connect(path) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)


@contextmanager
def replacing(database: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield a database beside another one, which takes its place at once when the block ends without an error.

    The place tells then that it is another file (ctms/machine/places.py).
    """
    target = get_path(database)
    work = target.with_name(f".{target.name}.restored")
    _remove(work)
    try:
        yield {**database, "NAME": str(work)}
        with connect(work) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        for suffix in _BESIDE:  # of the database that was there: nothing of it may be taken for the new one's
            Path(f"{target}{suffix}").unlink(missing_ok=True)
        work.replace(target)
    finally:
        _remove(work)


def _remove(path: Path) -> None:
    for suffix in ("", *_BESIDE):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


def read_tables(database: Mapping[str, Any]) -> dict[str, TableState]:
    """Return the state of every table."""
    with connect(get_path(database)) as connection:
        return read_sqlite_tables(connection)


def has_tables(database: Mapping[str, Any]) -> bool:
    """Whether there is any table in the database."""
    path = get_path(database)
    return path.exists() and path.stat().st_size > 0 and bool(read_tables(database))
