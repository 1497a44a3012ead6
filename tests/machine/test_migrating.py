"""`manage.py migrate` on PostgreSQL: a table in use is let go of, and tried again."""

from __future__ import annotations

from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from tests.reliability.conftest import build_database_url

TABLE = "reports_digestmail"
BEFORE = "0005"

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def unmigrated() -> Any:
    """The last migration of reports, which makes a table with a key to users, is not applied."""
    call_command("migrate", "reports", BEFORE, verbosity=0)
    yield
    call_command("migrate", verbosity=0)


def migrate_reports(*, attempts: int) -> str:
    told = StringIO()
    call_command(
        "migrate", "reports", lock_timeout=0.2, lock_attempts=attempts, verbosity=0, stdout=StringIO(), stderr=told
    )
    return told.getvalue()


@pytest.mark.usefixtures("unmigrated")
def test_a_migration_waits_briefly_and_goes_on_when_the_table_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    with psycopg.connect(build_database_url()) as reader:
        reader.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
        monkeypatch.setattr(
            "ctms.machine.management.commands.migrate.time.sleep", lambda _seconds: reader.rollback()
        )  # the other ends meanwhile
        told = migrate_reports(attempts=3)
    assert "Trying again (attempt 2 of 3)." in told
    assert "attempt 3" not in told
    assert TABLE in connection.introspection.table_names()
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("0",)


@pytest.mark.usefixtures("unmigrated")
def test_a_table_in_use_all_the_time_ends_it_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctms.machine.management.commands.migrate.time.sleep", lambda _seconds: None)
    with psycopg.connect(build_database_url()) as reader:
        reader.execute("LOCK TABLE accounts_user IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(CommandError, match="pg_stat_activity"):
            migrate_reports(attempts=2)
        reader.rollback()
    assert TABLE not in connection.introspection.table_names()


def test_nonsense_is_refused() -> None:
    with pytest.raises(CommandError, match="--lock-attempts"):
        call_command("migrate", lock_attempts=0, verbosity=0)
