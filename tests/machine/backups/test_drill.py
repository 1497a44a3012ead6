"""The drill restores the last backup beside the Vault, proves that it can be relied on, and tells if it cannot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from ctms.clinical.models import Study
from ctms.core.encryption import create_key
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobDefinition
from ctms.jobs.services import execute_run, start_now
from ctms.machine.backups import drill
from ctms.machine.backups.databases import get_own_database
from ctms.machine.backups.drill import examine_backup
from ctms.machine.backups.making import Backup, make_backup
from ctms.machine.backups.manifest import FILE_NAME
from ctms.machine.backups.tools import build_conninfo
from ctms.machine.jobs import DRILL_JOB_KEY
from ctms.machine.models import RestoreDrill
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory
from tests.factories.connections import AuthorizationFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def backup(tmp_path: Path, transactional_db: None) -> Backup:
    StudyFactory.create()
    AuthorizationFactory.create()
    return make_backup(to=tmp_path / "backups")


def damage(backup: Backup) -> None:
    """Make the manifest tell of another row than the dump has."""
    path = backup.folder / FILE_NAME
    values = json.loads(path.read_text())
    values["tables"]["clinical_study"]["digest"] = "other"
    path.write_text(json.dumps(values))


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The scratch databases that this test opens, by name. Other tests may drill on the same server meanwhile."""
    opened: list[str] = []
    open_scratch = drill._open_scratch

    @contextmanager
    def note(own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        with open_scratch(own) as database:
            opened.append(str(database["NAME"]))
            assert list_left(opened) == opened
            yield database

    monkeypatch.setattr(drill, "_open_scratch", note)
    return opened


def list_left(names: list[str]) -> list[str]:
    """Those of the scratch databases that are there."""
    own = get_own_database()
    if connection.vendor != "postgresql":
        return [name for name in names if Path(name).parent.exists()]
    with psycopg.connect(build_conninfo(own), password=own["PASSWORD"] or None) as server:
        found = {name for (name,) in server.execute("SELECT datname FROM pg_database")}
    return [name for name in names if name in found]


def test_a_backup_that_holds_is_proved_and_nothing_is_left(
    backup: Backup, tmp_path: Path, capsys: pytest.CaptureFixture[str], scratch: list[str]
) -> None:
    call_command("restore_drill", "--from", str(tmp_path / "backups"), "--report", str(tmp_path / "report.txt"))
    assert RestoreDrill.objects.get().succeeded
    assert f"Backup {backup.folder.name} can be relied on." in capsys.readouterr().out
    report = (tmp_path / "report.txt").read_text()
    assert "the audit trail, through its head" in report
    assert "were restored, by digest" in report
    assert "secrets can be read" in report
    figures = json.loads((tmp_path / "report.json").read_text())["figures"]
    assert figures["rows"] == backup.manifest.rows
    assert (len(scratch), list_left(scratch)) == (1, [])
    assert Study.objects.count() == 1


def test_a_backup_that_does_not_hold_is_named(backup: Backup) -> None:
    damage(backup)
    with pytest.raises(CommandError, match="cannot be relied on"):
        call_command("restore_drill", "--from", str(backup.folder))
    kept = RestoreDrill.objects.get()
    assert not kept.succeeded
    assert "DOES NOT HOLD: The table clinical_study has as many rows as it had" in kept.report


def test_a_backup_whose_keys_are_lost_does_not_hold(backup: Backup, settings: Settings) -> None:
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="another")]
    found = examine_backup(backup.folder)
    assert not found.succeeded
    assert "need the keys test" in found.report


def test_the_job_tells_admins(backup: Backup, settings: Settings) -> None:
    settings.BACKUP_FOLDER = str(backup.folder.parent)
    UserFactory.create(is_superuser=True, email="ada@example.com")
    definition = JobDefinition.objects.get(key=DRILL_JOB_KEY)

    finished = execute_run(start_now(definition=definition, user=None)[0].pk)
    assert finished is not None
    assert (finished.state, mail.outbox) == (RunState.SUCCEEDED, [])

    damage(backup)
    finished = execute_run(start_now(definition=definition, user=None)[0].pk)
    assert finished is not None
    assert finished.state == RunState.FAILED
    assert "clinical_study" in finished.message
    assert "CANNOT be relied on" in str(mail.outbox[0].body)
    assert [kept.succeeded for kept in RestoreDrill.objects.order_by("pk")] == [True, False]


def test_without_a_folder_there_is_no_drill(settings: Settings, tmp_path: Path) -> None:
    settings.BACKUP_FOLDER = ""
    assert start_now(definition=JobDefinition.objects.get(key=DRILL_JOB_KEY), user=None) == []
    with pytest.raises(CommandError, match="BACKUP_FOLDER"):
        call_command("restore_drill")
    with pytest.raises(CommandError, match="holds no backup"):
        call_command("restore_drill", "--from", str(tmp_path))
