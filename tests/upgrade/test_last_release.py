"""The tables take what the last release writes: an upgrade has no gap."""

from __future__ import annotations

import psycopg
import pytest

from tests.reliability.conftest import build_database_url
from tests.upgrade.release import Release, Tables, read_release, read_tables

pytestmark = [pytest.mark.postgresql, pytest.mark.system, pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def release() -> Release:
    return read_release()


def find_breaches(*, before: Tables, after: Tables) -> list[str]:
    """Return what inserts and updates of the release would miss or not know."""
    told = []
    for table, columns in before.items():
        if table not in after:
            told.append(f"{table} is gone")
            continue
        for name, column in columns.items():
            now = after[table].get(name)
            if now is None:
                told.append(f"{table}.{name} is gone")
            elif now.type != column.type or (now.length or 0) < (column.length or 0):
                told.append(f"{table}.{name} was {column.type}({column.length}), is {now.type}({now.length})")
            elif column.is_nullable and not now.is_nullable:
                told.append(f"{table}.{name} refuses NULL")
        told += [
            f"{table}.{name} is new, NOT NULL and without db_default"
            for name, column in after[table].items()
            if name not in columns and not column.is_optional
        ]
    return told


def test_the_tables_take_what_the_last_release_writes(release: Release) -> None:
    with psycopg.connect(build_database_url()) as database:
        assert find_breaches(before=release.tables, after=read_tables(database)) == []


@pytest.mark.parametrize(
    ("statement", "breach"),
    [
        ("ALTER TABLE jobs_jobrun ADD COLUMN colour text NOT NULL", "is new, NOT NULL and without db_default"),
        ("ALTER TABLE jobs_jobrun DROP COLUMN log", "jobs_jobrun.log is gone"),
        ("ALTER TABLE jobs_jobrun RENAME COLUMN log TO lines", "jobs_jobrun.log is gone"),
        ("ALTER TABLE jobs_jobrun ALTER COLUMN unit_key TYPE varchar(10)", "jobs_jobrun.unit_key was"),
        ("ALTER TABLE jobs_jobrun ALTER COLUMN started_at SET NOT NULL", "jobs_jobrun.started_at refuses NULL"),
        ("ALTER TABLE jobs_jobrun ADD COLUMN colour text NOT NULL DEFAULT ''", ""),
        ("ALTER TABLE jobs_jobrun ALTER COLUMN unit_key TYPE varchar(200)", ""),
    ],
)
def test_what_the_last_release_could_not_write_to_is_told(release: Release, statement: str, breach: str) -> None:
    with psycopg.connect(build_database_url()) as database:
        database.execute(statement)
        told = find_breaches(before=release.tables, after=read_tables(database))
        database.rollback()
    assert any(breach in each for each in told) if breach else told == []
