"""The SQLite file of one organisation, with a table for each object.

It is in WAL mode and has one connection with one lock. The lock is held for a write and the checks before it (unique
values, references), so that no other request comes between them.
"""

import sqlite3
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from crm_sync.sandbox.data.compounds import measure_distance
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.data.timestamps import format_value

SYSTEM_TABLES = """
CREATE TABLE IF NOT EXISTS sandbox_settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sandbox_sequences (name TEXT PRIMARY KEY, next INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS sandbox_logins (
    username TEXT PRIMARY KEY COLLATE NOCASE, user_id TEXT NOT NULL, password TEXT NOT NULL,
    security_token TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sandbox_connected_apps (
    client_id TEXT PRIMARY KEY, client_secret TEXT NOT NULL, label TEXT NOT NULL, flows TEXT NOT NULL,
    run_as TEXT NOT NULL, refresh_token TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sandbox_certificates (client_id TEXT PRIMARY KEY, pem TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS sandbox_sessions (token TEXT PRIMARY KEY, user_id TEXT NOT NULL, used REAL NOT NULL);
CREATE TABLE IF NOT EXISTS sandbox_refresh_tokens (
    token TEXT PRIMARY KEY, client_id TEXT NOT NULL, user_id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sandbox_hidden (record_id TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS sandbox_purged (
    record_id TEXT PRIMARY KEY, object_name TEXT NOT NULL, deleted_date TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS sandbox_emptied_references (
    deleted_id TEXT NOT NULL, object_name TEXT NOT NULL, field_name TEXT NOT NULL, record_id TEXT NOT NULL,
    PRIMARY KEY (deleted_id, record_id, field_name)
);
CREATE TABLE IF NOT EXISTS sandbox_recent (
    user_id TEXT NOT NULL, record_id TEXT NOT NULL, PRIMARY KEY (user_id, record_id)
);
CREATE TABLE IF NOT EXISTS sandbox_usage (minute INTEGER PRIMARY KEY, calls INTEGER NOT NULL);
"""

COLUMN_TYPES = {
    "boolean": "INTEGER",
    "int": "INTEGER",
    "long": "INTEGER",
    **dict.fromkeys(("double", "currency", "percent"), "REAL"),
}


def casefold_text(value: str | float | bytes | None) -> str | float | bytes | None:
    """Return text without case, for comparisons beyond ASCII, which SQLite's NOCASE does not cover."""
    return value.casefold() if isinstance(value, str) else value


def write_column(field: Field) -> str:
    """Return the column definition of a field. Text that ignores case gets the collation NOCASE."""
    if field.type == "id":
        return f'"{field.name}" TEXT PRIMARY KEY NOT NULL'
    collation = " COLLATE NOCASE" if field.is_text and not field.case_sensitive else ""
    return f'"{field.name}" {COLUMN_TYPES.get(field.type, "TEXT")}{collation}'


def write_table(sobject: SObject) -> list[str]:
    """Return the statements that create an object's table and indexes, and log the ids of rows that are deleted."""
    columns = ", ".join(write_column(field) for field in sobject.fields)
    statements = [f'CREATE TABLE IF NOT EXISTS "{sobject.name}" ({columns})']
    statements += [
        f'CREATE INDEX IF NOT EXISTS "{sobject.name}_{field.name}" ON "{sobject.name}" ("{field.name}")'
        for field in sobject.fields
        if field.external_id
        or field.name in {"SystemModstamp", "Name"}
        or (field.reference_to and (field.custom or field.child_relationship))
    ]
    if sobject.deletable:
        log = "INSERT OR REPLACE INTO sandbox_purged (record_id, object_name, deleted_date)"
        values = f'VALUES (OLD."Id", \'{sobject.name}\', OLD."LastModifiedDate")'
        trigger = f'CREATE TRIGGER IF NOT EXISTS "{sobject.name}_purged" AFTER DELETE ON "{sobject.name}"'
        statements.append(f"{trigger} BEGIN {log} {values}; END")
    return statements


class Database:
    """One data file. Any thread may call every public method."""

    def __init__(self, path: Path, *, schema: Schema, durable: bool = True) -> None:
        """Open or create the file and add missing tables.

        Unless `durable`, nothing waits for the disk: for a file that need not outlive the machine's next failure.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)  # passwords are kept in it
        self.path = path
        self.schema = schema
        self.lock = threading.RLock()
        self._depth = 0
        self._connection = sqlite3.connect(path, check_same_thread=False, isolation_level=None, cached_statements=512)
        self._connection.create_function("casefold_text", 1, casefold_text, deterministic=True)
        self._connection.create_function("format_value", 2, format_value, deterministic=True)
        self._connection.create_function("measure_distance", 5, measure_distance, deterministic=True)
        synchronous = "NORMAL" if durable else "OFF"
        self._connection.executescript(
            f"PRAGMA synchronous={synchronous}; PRAGMA journal_mode=WAL; PRAGMA temp_store=MEMORY;"
        )
        statements = [statement for sobject in schema.objects for statement in write_table(sobject)]
        self._connection.executescript(f"BEGIN IMMEDIATE; {SYSTEM_TABLES} {'; '.join(statements)}; COMMIT;")
        self._add_missing_columns()

    def _add_missing_columns(self) -> None:
        """Give the tables of an older file the names of today and the fields that the schema has gained since."""
        if "created" in {row[1] for row in self.fetch_all("PRAGMA table_info(sandbox_sessions)")}:
            self.execute("ALTER TABLE sandbox_sessions RENAME COLUMN created TO used")
        for sobject in self.schema.objects:
            present = {row[1] for row in self.fetch_all(f'PRAGMA table_info("{sobject.name}")')}
            for field in sobject.fields:
                if field.name not in present:
                    self.execute(f'ALTER TABLE "{sobject.name}" ADD COLUMN {write_column(field)}')

    def close(self) -> None:
        """Close the file."""
        with self.lock:
            self._connection.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Run the block in a transaction, or in a savepoint inside another one. An exception rolls it back."""
        with self.lock:
            name = f"level_{self._depth}"
            self._connection.execute(f"SAVEPOINT {name}" if self._depth else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                yield
            except BaseException:
                self._depth -= 1
                if self._depth:
                    self._connection.execute(f"ROLLBACK TO {name}")
                    self._connection.execute(f"RELEASE {name}")
                else:
                    self._connection.execute("ROLLBACK")
                raise
            self._depth -= 1
            self._connection.execute(f"RELEASE {name}" if self._depth else "COMMIT")

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run one statement and return the number of rows it changed."""
        with self.lock:
            return self._connection.execute(statement, parameters).rowcount

    def execute_many(self, statement: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run one statement for many rows."""
        with self.lock:
            self._connection.executemany(statement, rows)

    def fetch_all(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query."""
        with self.lock:
            return self._connection.execute(statement, parameters).fetchall()

    def fetch_one(self, statement: str, parameters: Sequence[Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        with self.lock:
            row: tuple[Any, ...] | None = self._connection.execute(statement, parameters).fetchone()
            return row

    def reserve_numbers(self, *, name: str, count: int) -> int:
        """Take the next `count` numbers of a sequence and return the first of them."""
        with self.lock:
            row = self.fetch_one(
                "INSERT INTO sandbox_sequences (name, next) VALUES (?, 1 + ?) "
                "ON CONFLICT (name) DO UPDATE SET next = next + ? RETURNING next",
                (name, count, count),
            )
            return int(row[0]) - count if row else 1

    def raise_sequence(self, *, name: str, past: int) -> None:
        """Make a sequence continue after `past`."""
        self.execute(
            "INSERT INTO sandbox_sequences (name, next) VALUES (?, ?) "
            "ON CONFLICT (name) DO UPDATE SET next = max(next, excluded.next)",
            (name, past + 1),
        )
