"""What is there goes only when what was restored holds: on PostgreSQL it waits in a schema of its own until then."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command

from ctms.clinical.models import Study
from ctms.core.encryption import create_key
from ctms.core.standing import Role, read_standing
from ctms.machine.backups import postgresql
from ctms.machine.backups.databases import get_own_database, run_on
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.making import Backup, make_backup
from ctms.machine.backups.replacing import ASIDE, _set_aside, put_back, replacing
from ctms.machine.backups.restoring import has_tables, restore_backup, restore_dump
from ctms.machine.backups.tools import build_conninfo
from tests.factories.clinical import StudyFactory
from tests.factories.connections import AuthorizationFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.fixture
def backup(tmp_path: Path, transactional_db: None) -> Backup:
    StudyFactory.create(name="VLT-01")
    AuthorizationFactory.create()
    return make_backup(to=tmp_path / "backups")


def list_names(database: dict[str, Any]) -> list[str]:
    return run_on(database, lambda: list(Study.objects.order_by("pk").values_list("name", flat=True)))


def test_a_restore_that_was_killed_is_put_back(backup: Backup, target: dict[str, Any]) -> None:
    restore_backup(folder=backup.folder, database=target)
    role = run_on(target, lambda: read_standing().role)
    _set_aside(target)
    postgresql.restore(backup.folder / postgresql.DUMP, database=target, written_by=backup.manifest.tool)

    with pytest.raises(BackupError, match=f"in the schema {ASIDE}.*--put-back"):
        restore_backup(folder=backup.folder, database=target, replace=True)
    run_on(target, lambda: StudyFactory.create(name="OF THE RESTORE"))
    put_back(target)

    assert list_names(target) == ["VLT-01"]
    assert run_on(target, lambda: read_standing().role) == role
    with pytest.raises(BackupError, match="No restore was interrupted"):
        put_back(target)
    restore_backup(folder=backup.folder, database=target, replace=True)
    assert not postgresql.has_schema(target, name=ASIDE)


def test_whoever_still_uses_the_database_is_not_waited_for(
    backup: Backup, target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    restore_backup(folder=backup.folder, database=target)
    monkeypatch.setattr(postgresql, "_LOCK_SECONDS", 1)
    with psycopg.connect(build_conninfo(target), password=target["PASSWORD"] or None) as other:
        other.execute("SELECT count(*) FROM clinical_study")
        with pytest.raises(BackupError, match="Stop web servers, workers and scheduler"):
            restore_backup(folder=backup.folder, database=target, replace=True)
    assert list_names(target) == ["VLT-01"]


def test_everything_comes_back_as_it_was(backup: Backup, target: dict[str, Any]) -> None:
    restore_backup(folder=backup.folder, database=target)
    query = "SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with psycopg.connect(build_conninfo(target), password=target["PASSWORD"] or None, autocommit=True) as other:
        before = other.execute(query).fetchone()
        with pytest.raises(KeyboardInterrupt), replacing(target):  # noqa: PT012  what is raised ends the block
            assert not has_tables(target)
            raise KeyboardInterrupt
        assert other.execute(query).fetchone() == before


# -- Dumps without a manifest
@pytest.fixture
def dump(backup: Backup) -> Path:
    path = backup.folder.parent / "vault-20261101.dump"
    (backup.folder / postgresql.DUMP).rename(path)
    return path


def test_a_dump_without_a_manifest_is_restored_and_undecided(dump: Path, target: dict[str, Any]) -> None:
    restored = restore_dump(path=dump, database=target)
    assert (restored.is_compared, restored.backup, restored.migrated) == (False, dump.name, [])
    assert list_names(target) == ["VLT-01"]
    assert run_on(target, lambda: read_standing().role) == Role.UNDECIDED


def test_a_dump_that_cannot_be_used_leaves_the_database_as_it_was(
    dump: Path, target: dict[str, Any], settings: Any
) -> None:
    text = dump.with_name("text")
    text.write_text("no dump")
    with pytest.raises(BackupError, match="cannot be read"):
        restore_dump(path=text, database=target)
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="another")]
    with pytest.raises(BackupError, match="stored secrets cannot be read"):
        restore_dump(path=dump, database=target)
    assert not has_tables(target)
    restore_dump(path=dump, database=target, without_keys=True)
    with pytest.raises(BackupError, match="is not empty"):
        restore_dump(path=dump, database=target)


def test_the_command_says_what_was_not_compared(
    dump: Path, target: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctms.machine.management.commands.restore.get_own_database", lambda: target)
    said = io.StringIO()
    call_command("restore", str(dump), stdout=said)
    assert "of a dump without a manifest, so that nothing was compared with what it held" in said.getvalue()
    with pytest.raises(CommandError, match="No restore was interrupted"):
        call_command("restore", "--put-back")
    with pytest.raises(CommandError, match="Name what to restore"):
        call_command("restore")
    assert get_own_database() != target
