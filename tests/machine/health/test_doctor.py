"""What the doctor finds, and how it says so."""

from __future__ import annotations

import json
import threading
from collections import namedtuple
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ctms.core.clock import get_database_now
from ctms.jobs.models import SignOfLife
from ctms.jobs.signs import TICKS, give_sign
from ctms.machine.health import database_checks, doctor, service_checks
from ctms.machine.health.doctor import Check, State, diagnose, fine, list_checks, problem
from tests.factories.connections import AuthorizationFactory


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Check]:
    """No check but those that a test adds."""
    own: dict[str, Check] = {}
    monkeypatch.setattr(doctor, "_checks", own)
    return own


def test_everything_that_is_promised_is_looked_at() -> None:
    assert [check.name for check in list_checks()] == [
        "database",
        "crm calls",
        "crm clocks",
        "migrations",
        "collation",
        "roles",
        "keys",
        "clock",
        "redis",
        "beat",
        "workers",
        "mail",
        "error reports",
        "static files",
        "disk",
    ]


def test_what_hangs_is_a_problem_and_the_next_check_is_asked(checks: dict[str, Check]) -> None:
    release = threading.Event()

    def hang() -> Any:
        release.wait()

    doctor.register_check(Check(name="hangs", ask=hang, limit=0.05))
    doctor.register_check(Check(name="next", ask=lambda: fine("It is.")))
    first, second = diagnose()
    release.set()
    assert (first.finding.state, first.finding.message) == (State.PROBLEM, "No answer within 0.05 seconds.")
    assert second.finding.state is State.FINE


def test_without_a_database_nothing_waits_for_it(checks: dict[str, Check]) -> None:
    asked: list[str] = []

    def ask() -> doctor.Finding:
        asked.append("keys")
        return fine("They are read.")

    doctor.register_check(Check(name="database", ask=lambda: problem("No.", remedy="Start it."), needs_database=False))
    doctor.register_check(Check(name="keys", ask=ask))
    doctor.register_check(Check(name="disk", ask=lambda: fine("It is."), needs_database=False))
    assert [each.finding.state for each in diagnose()] == [State.PROBLEM, State.SKIPPED, State.FINE]
    assert asked == []


def test_a_fault_of_a_check_is_a_problem_without_its_words(checks: dict[str, Check]) -> None:
    def fail() -> Any:
        raise ValueError("canary")

    doctor.register_check(Check(name="fails", ask=fail))
    (found,) = diagnose()
    assert found.finding.message == "It could not be looked at (ValueError)."
    assert "canary" not in str(found)


def test_the_exit_code_and_the_words_say_how_it_is(checks: dict[str, Check], capsys: Any) -> None:
    doctor.register_check(Check(name="disk", ask=lambda: fine("It has room.")))
    call_command("doctor")
    assert capsys.readouterr().out == "ok      disk          It has room.\n"
    doctor.register_check(Check(name="mail", ask=lambda: problem("It is silent.", remedy="Wake it.")))
    with pytest.raises(SystemExit) as ended:
        call_command("doctor")
    assert ended.value.code == 1
    assert capsys.readouterr().out.splitlines()[1:] == [
        "PROBLEM mail          It is silent.",
        "                      Wake it.",
    ]
    with pytest.raises(SystemExit):
        call_command("doctor", "--json")
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], [each["state"] for each in told["checks"]]) == (False, ["fine", "problem"])
    with pytest.raises(CommandError, match="unrecognized arguments"):
        call_command("doctor", "--nothing")


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_sound_database_is_fine() -> None:
    for check in (database_checks.check_migrations, database_checks.check_collation, database_checks.check_clock):
        assert check().state is not State.PROBLEM, check().message
    assert database_checks.check_database().message.split()[0] in ("SQLite", "PostgreSQL")


@pytest.mark.both_databases
@pytest.mark.django_db
def test_migrations_that_are_missing_are_counted() -> None:
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE app = 'jobs' AND name = '0006_signs_of_life'")
    found = database_checks.check_migrations()
    assert (found.message, found.remedy) == (
        "1 are not applied, the first is jobs.0006_signs_of_life.",
        "Run manage.py migrate.",
    )


@pytest.mark.postgresql
@pytest.mark.django_db
def test_the_owner_of_the_tables_should_not_run_the_vault() -> None:
    found = database_checks.check_roles()
    assert found.state is State.PROBLEM
    assert "owns it" in found.message
    assert "grant_application_role" in found.remedy


@pytest.mark.both_databases
@pytest.mark.django_db
def test_secrets_that_the_keys_do_not_read_are_named_and_not_shown(settings: Any) -> None:
    authorization = AuthorizationFactory.create()
    assert database_checks.check_keys().state is State.FINE
    settings.FIELD_ENCRYPTION_KEYS = ["other:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="]
    found = database_checks.check_keys()
    assert found.state is State.PROBLEM
    assert str(authorization.uid) in found.message
    assert "FIELD_ENCRYPTION_KEYS" in found.remedy


@pytest.mark.both_databases
@pytest.mark.django_db
def test_a_clock_that_is_wrong_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    late = get_database_now() + timedelta(minutes=5)
    monkeypatch.setattr(database_checks, "get_now", lambda: late)
    found = database_checks.check_clock()
    assert found.state is (State.PROBLEM if connection.vendor == "postgresql" else State.SKIPPED)
    if found.state is State.PROBLEM:
        assert "seconds behind this machine's." in found.message


@pytest.mark.both_databases
@pytest.mark.django_db
def test_ticks_that_do_not_come_are_said_with_who_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_checks, "count_messages", lambda names: dict.fromkeys(names, 0))
    assert service_checks.check_beat().message == "No tick was ever done, and none waits."
    give_sign(TICKS)
    assert service_checks.check_beat().state is State.FINE
    SignOfLife.objects.update(seen_at=get_database_now() - timedelta(minutes=10))
    assert "celery beat" in service_checks.check_beat().remedy
    monkeypatch.setattr(service_checks, "count_messages", lambda names: dict.fromkeys(names, 5))
    assert service_checks.check_beat().remedy == "Start the worker of the queue ticks."


def test_a_server_of_error_reports_that_cannot_be_reached_is_said(settings: Any) -> None:
    settings.SENTRY = {}
    assert service_checks.check_error_reports().state is State.SKIPPED
    settings.SENTRY = {"address": "http://127.0.0.1:1/api/42/envelope/", "key": "canary"}
    found = service_checks.check_error_reports()
    assert found.message == "The server of SENTRY_DSN cannot be reached (ConnectionError)."
    assert "canary" not in str(found)


def test_static_files_that_were_not_collected_are_said(settings: Any, tmp_path: Path) -> None:
    assert service_checks.check_static_files().state is State.FINE
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    found = service_checks.check_static_files()
    assert (found.message, found.remedy.split(",")[0]) == (
        "They were not collected.",
        "Run manage.py collectstatic --no-input",
    )


def test_a_disk_without_room_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")  # noqa: PYI024  that of shutil
    monkeypatch.setattr("shutil.disk_usage", lambda _path: usage(10**12, 10**12, 2**20))
    assert service_checks.check_disk().message.endswith(" has 1 MB left.")
