"""The number of rows of each table, and a digest of them that neither their order nor that of the columns changes.

A row is hashed from the texts of its values, by the names of their columns; the digest of a table is the sum of the
hashes of its rows. On PostgreSQL the server does it, with settings on which the texts depend fixed for the session.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

if TYPE_CHECKING:
    import sqlite3

    import psycopg

# What the texts of values depend on.
_FIXED_SETTINGS = (
    "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; SET extra_float_digits = 1; "
    "SET bytea_output = 'hex'"
)
_TABLES = """
    SELECT relname, array_agg(attname::text ORDER BY attname)
    FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
    AND attnum > 0 AND NOT attisdropped
    GROUP BY relname ORDER BY relname
"""
_DIGEST = """
    SELECT count(*), coalesce(sum(upper), 0)::text, coalesce(sum(lower), 0)::text FROM (
        SELECT ('x' || substr(hash, 1, 16))::bit(64)::bigint::numeric AS upper,
               ('x' || substr(hash, 17, 16))::bit(64)::bigint::numeric AS lower
        FROM (SELECT encode(sha256(convert_to(ROW({columns})::text, 'UTF8')), 'hex') AS hash FROM {table}) AS hashed
    ) AS halves
"""
_BYTES = 16
_MODULUS = 1 << (8 * _BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableState:
    """What a table held: its number of rows and the digest of them."""

    rows: int
    digest: str


def read_postgresql_tables(connection: psycopg.Connection[Any]) -> dict[str, TableState]:
    """Return the state of every table of the current schema, within the transaction of the connection."""
    connection.execute(_FIXED_SETTINGS)
    found = {}
    for table, columns in connection.execute(_TABLES).fetchall():
        query = sql.SQL(_DIGEST).format(
            columns=sql.SQL(", ").join(map(sql.Identifier, columns)), table=sql.Identifier(table)
        )
        for rows, upper, lower in connection.execute(query):
            found[table] = TableState(rows=rows, digest=f"{upper}:{lower}")
    return found


def read_sqlite_tables(connection: sqlite3.Connection) -> dict[str, TableState]:
    """Return the state of every table of a SQLite database; those of SQLite itself are left out."""
    names = connection.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name"
    ).fetchall()
    return {name: _read_sqlite_table(connection, name) for (name,) in names}


def _read_sqlite_table(connection: sqlite3.Connection, table: str) -> TableState:
    columns = sorted(row[1] for row in connection.execute(f"PRAGMA table_info({_quote(table)})"))
    rows = total = 0
    chosen = ", ".join(map(_quote, columns))
    for row in connection.execute(f"SELECT {chosen} FROM {_quote(table)}"):  # noqa: S608  quoted names
        hashed = hashlib.sha256(repr(row).encode()).digest()
        total = (total + int.from_bytes(hashed[:_BYTES])) % _MODULUS
        rows += 1
    return TableState(rows=rows, digest=f"{total:032x}")


def _quote(name: str) -> str:
    escaped = name.replace('"', '""')
    return f'"{escaped}"'
