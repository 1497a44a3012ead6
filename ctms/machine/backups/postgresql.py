"""A PostgreSQL database: dumped and described from one snapshot, emptied, restored."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from ctms.machine.backups.digests import TableState, read_postgresql_tables
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.tools import build_conninfo, find_tool, run_tool

if TYPE_CHECKING:
    from pathlib import Path

DUMP = "database.dump"
_MAJOR = 10_000
# What nobody else in the cluster waits for: the backup lasts as long as it lasts.
_PATIENCE = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0"
_NOT_OF_EXTENSIONS = "NOT EXISTS (SELECT FROM pg_depend WHERE objid = {0}.oid AND deptype = 'e')"
_LOCK_SECONDS = 10  # what is moved is used by nobody, or the restore was begun too early
# By kind, as DROP and ALTER name it: the names of what is in a schema, in the order in which one can be moved.
_OBJECTS = (
    ("TABLE", "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = {0} AND relkind IN ('r', 'p')"),
    ("VIEW", "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = {0} AND relkind = 'v'"),
    ("MATERIALIZED VIEW", "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = {0} AND relkind = 'm'"),
    # Sequences of columns go with their tables.
    ("SEQUENCE", "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = {0} AND relkind = 'S'"),
    ("ROUTINE", "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = {0}"),
    ("COLLATION", "SELECT oid::regcollation::text FROM pg_collation WHERE collnamespace = {0}"),
)


@contextmanager
def connect(database: Mapping[str, Any], *, autocommit: bool = False) -> Iterator[psycopg.Connection[Any]]:
    """Open a connection of its own to a database. Raises BackupError if it cannot be reached."""
    try:
        opened = psycopg.connect(
            build_conninfo(database), password=str(database.get("PASSWORD") or "") or None, autocommit=autocommit
        )
    except psycopg.OperationalError as error:
        told = str(error).strip().partition("\n")[0]
        raise BackupError(f"The database {database['NAME']} cannot be reached: {told}") from error
    with opened as connection:
        connection.execute(_PATIENCE)
        yield connection


@contextmanager
def hold_snapshot(database: Mapping[str, Any]) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """Yield a connection and the name of its snapshot, by which others see the database as it does."""
    with connect(database, autocommit=True) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = connection.execute("SELECT pg_export_snapshot()").fetchone()
        yield connection, str(row[0]) if row else ""
        connection.execute("COMMIT")


def read_size(connection: psycopg.Connection[Any]) -> int:
    """Return the bytes of the database: a dump, which is compressed and has no indexes, takes less."""
    row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return int(row[0]) if row else 0


def dump(database: Mapping[str, Any], *, server: int, snapshot: str, folder: Path) -> str:
    """Write the dump of a snapshot; return the version of the tool."""
    tool, version = find_tool("pg_dump", server=server)
    path = folder / DUMP
    path.touch(mode=0o600)
    run_tool(tool, ["--format=custom", f"--snapshot={snapshot}", "--file", path], database=database)
    return f"pg_dump {version}"


def read_server(connection: psycopg.Connection[Any]) -> int:
    """Return the major version of the server."""
    return connection.info.server_version // _MAJOR


def require_readable(path: Path, *, database: Mapping[str, Any], written_by: str) -> None:
    """Raise BackupError if the tools here cannot read the dump, before anything is replaced by it."""
    with connect(database) as connection:
        server = read_server(connection)
    tool, _ = find_tool("pg_restore", server=server, at_least=_read_major(written_by))
    run_list(tool, path)


def run_list(tool: Path, path: Path) -> None:
    """Have the table of contents of a dump read. Raises BackupError."""
    done = subprocess.run([tool, "--list", path], capture_output=True, text=True, check=False)
    if done.returncode:
        raise BackupError(f"{path} cannot be read by {tool}: {done.stderr.strip().partition(chr(10))[0]}")


def restore(path: Path, *, database: Mapping[str, Any], written_by: str) -> None:
    """Restore a dump into an empty database: all of it in one transaction, or nothing."""
    with connect(database) as connection:
        server = read_server(connection)
    tool, _ = find_tool("pg_restore", server=server, at_least=_read_major(written_by))
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", "--no-comments"]
    run_tool(tool, [*options, path], database=database)


def read_tables(database: Mapping[str, Any]) -> dict[str, TableState]:
    """Return the state of every table."""
    with connect(database) as connection:
        return read_postgresql_tables(connection)


def has_tables(database: Mapping[str, Any]) -> bool:
    """Whether there is any table in the database."""
    with connect(database) as connection:
        return bool(_list_objects(connection, _OBJECTS[0][1], schema=_get_schema(connection)))


def has_schema(database: Mapping[str, Any], *, name: str) -> bool:
    """Whether there is a schema of this name."""
    with connect(database) as connection:
        return connection.execute("SELECT FROM pg_namespace WHERE nspname = %s", [name]).fetchone() is not None


def empty(database: Mapping[str, Any]) -> None:
    """Drop all that the role of the database owns in its schema, in one transaction; extensions stay."""
    with connect(database) as connection:
        _empty(connection)


def move_aside(database: Mapping[str, Any], *, schema: str) -> None:
    """Move all that is in the database's schema into a new one, in one transaction; extensions stay.

    Raises the errors of psycopg: LockNotAvailable if it is in use, InsufficientPrivilege.
    """
    with connect(database) as connection:
        connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(schema)))
        _move(connection, source=_get_schema(connection), target=schema)


def move_back(database: Mapping[str, Any], *, schema: str) -> None:
    """Empty the database's schema, put back what was moved into another one, and drop that, in one transaction.

    Raises the errors of psycopg.
    """
    with connect(database) as connection:
        _empty(connection)
        _move(connection, source=schema, target=_get_schema(connection))
        connection.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(schema)))


def drop_schema(database: Mapping[str, Any], *, name: str) -> None:
    """Drop a schema with all that is in it. Raises the errors of psycopg."""
    with connect(database) as connection:
        connection.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)))


@contextmanager
def scratch_database(database: Mapping[str, Any], *, name: str) -> Iterator[dict[str, Any]]:
    """Yield an empty database beside another, and drop it afterwards. The role needs the right to create databases."""
    identifier = sql.Identifier(name)
    with connect(database, autocommit=True) as connection:
        try:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(identifier))
        except psycopg.errors.InsufficientPrivilege:
            raise BackupError(
                "The database's role may not create databases, and the drill needs an empty one. Give it the right "
                "(ALTER ROLE … CREATEDB), or run manage.py restore_drill with the DATABASE_URL of a role that has it."
            ) from None
        try:
            yield {**database, "NAME": name}
        finally:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(identifier))


def _empty(connection: psycopg.Connection[Any]) -> None:
    schema = _get_schema(connection)
    for kind, query in _OBJECTS:
        for name in _list_objects(connection, query, schema=schema):
            connection.execute(sql.SQL(f"DROP {kind} IF EXISTS {name} CASCADE"))


def _move(connection: psycopg.Connection[Any], *, source: str, target: str) -> None:
    connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_SECONDS}s'")
    for kind, query in _OBJECTS:
        for name in _list_objects(connection, query, schema=source):
            statement = sql.SQL(f"ALTER {kind} {name} SET SCHEMA {{}}")
            connection.execute(statement.format(sql.Identifier(target)))


def _get_schema(connection: psycopg.Connection[Any]) -> str:
    row = connection.execute("SELECT current_schema()").fetchone()
    return str(row[0]) if row else ""


def _list_objects(connection: psycopg.Connection[Any], query: str, *, schema: str) -> list[str]:
    """Return the names of what is in a schema, as statements name it; what belongs to an extension is left out."""
    table = query.partition(" FROM ")[2].partition(" ")[0]
    condition = _NOT_OF_EXTENSIONS.format(table)
    statement = sql.SQL(f"{query} AND {condition}").format(sql.SQL("to_regnamespace(quote_ident({}))").format(schema))
    return [name for (name,) in connection.execute(statement)]


def _read_major(tool: str) -> int:
    number = tool.rpartition(" ")[2]
    return int(number) if number.isdecimal() else 0
