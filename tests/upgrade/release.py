"""What the last release was: its commit, its migrations, and the tables that its code writes to.

`last_release.json` holds it, and `python -m tests.servers .venv/bin/python -m tests.upgrade.release VERSION COMMIT`
writes it anew when a release is cut (CONTRIBUTING.md, "Release"), with that release checked out.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg

PATH = Path(__file__).with_name("last_release.json")

_COLUMNS = """
    SELECT table_name, column_name, data_type, character_maximum_length, is_nullable = 'YES',
        column_default IS NOT NULL OR is_identity = 'YES' OR is_generated = 'ALWAYS'
    FROM information_schema.columns WHERE table_schema = 'public' ORDER BY table_name, column_name
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of PostgreSQL: `length` of a `varchar`, and whether an insert may leave the column out."""

    type: str
    length: int | None
    is_nullable: bool
    has_default: bool

    @property
    def is_optional(self) -> bool:
        return self.is_nullable or self.has_default


Tables = dict[str, dict[str, Column]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release: `migrations` are `app.name`."""

    version: str
    commit: str
    migrations: list[str]
    tables: Tables


def read_release() -> Release:
    stored: dict[str, Any] = json.loads(PATH.read_text(encoding="utf-8"))
    tables = {
        table: {name: Column(**column) for name, column in columns.items()}
        for table, columns in stored.pop("tables").items()
    }
    return Release(**stored, tables=tables)


def read_tables(connection: psycopg.Connection[Any]) -> Tables:
    tables: Tables = {}
    for table, name, kind, length, is_nullable, has_default in connection.execute(_COLUMNS):
        column = Column(type=kind, length=length, is_nullable=is_nullable, has_default=has_default)
        tables.setdefault(table, {})[name] = column
    return tables


def write_release(*, version: str, commit: str, url: str) -> None:
    """Write what the database at `url`, migrated by the code at hand, is like."""
    with psycopg.connect(url) as connection:
        tables = read_tables(connection)
        applied = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY 1").fetchall()
    release = {
        "version": version,
        "commit": commit,
        "migrations": [name for (name,) in applied],
        "tables": {table: {name: asdict(column) for name, column in tables[table].items()} for table in tables},
    }
    lines = json.dumps(release, indent=1).replace("\n    ", " ").replace("\n   }", " }")
    PATH.write_text(lines + "\n", encoding="utf-8")


def main() -> None:
    from tests import databases, servers  # noqa: PLC0415  they ask for Django's settings

    _, version, commit = sys.argv
    with servers.create_database(server_url=os.environ["TEST_DATABASE_URL"]) as url:
        databases._migrate(url=url)
        write_release(version=version, commit=commit, url=url)


if __name__ == "__main__":
    main()
