"""A backup is made, restored elsewhere, and is the same; it comes up paused. What cannot work is refused before."""

from __future__ import annotations

import json
import re
import shutil
import stat
from collections.abc import Callable
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from connections.models import ConnectionAuthorization
from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import UserSession
from ctms.audit.actors import build_system_actor
from ctms.audit.guards import list_guard_problems
from ctms.audit.models import AuditEntry
from ctms.audit.sealing import seal_entries
from ctms.audit.verification import verify_trail
from ctms.clinical.models import Study
from ctms.core.clock import get_now
from ctms.core.encryption import create_key
from ctms.core.standing import Role, read_standing
from ctms.jobs.services import dispatch_due
from ctms.machine.backups import tools
from ctms.machine.backups.databases import run_on
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.making import Backup, list_backups, make_backup
from ctms.machine.backups.manifest import FILE_NAME, Manifest, describe_file
from ctms.machine.backups.restoring import has_tables, restore_backup
from ctms.machine.declaring import declare_copy, declare_vault
from ctms.machine.models import Installation
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory
from tests.factories.connections import CRM_PASSWORD, AuthorizationFactory

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_databases]


@pytest.fixture
def backup(tmp_path: Path, transactional_db: None) -> Backup:
    """A backup of a Vault with a study, a secret and a session."""
    StudyFactory.create(name="VLT-01")
    AuthorizationFactory.create()
    now = get_now()
    UserSession.objects.create(
        session_key="open", user=UserFactory.create(), begun_at=now, last_used_at=now, expire_date=now + timedelta(1)
    )
    seal_entries()
    return make_backup(to=tmp_path / "backups")


def build_actor() -> Any:
    return build_system_actor(source="command", reference="test")


def test_a_restored_backup_is_what_was_backed_up(backup: Backup, target: dict[str, Any]) -> None:
    entries = AuditEntry.objects.count()
    StudyFactory.create(name="VLT-02")  # after the backup

    restored = restore_backup(folder=backup.folder, database=target)

    assert (restored.backup, restored.rows) == (backup.folder.name, backup.manifest.rows)
    assert restored.is_compared
    assert run_on(target, lambda: list(Study.objects.values_list("name", flat=True))) == ["VLT-01"]
    password = run_on(target, lambda: ConnectionAuthorization.objects.get().password)
    assert password.reveal() == CRM_PASSWORD
    # The restore itself is in the trail: nothing else was added.
    assert run_on(target, AuditEntry.objects.count) == entries + 1
    assert backup.manifest.tables["clinical_study"].rows == 1
    assert "1 sessions of users were ended." in restored.done
    assert run_on(target, UserSession.objects.count) == 0


def test_a_restored_vault_sends_nothing_and_starts_nothing_until_it_was_declared(
    backup: Backup, target: dict[str, Any]
) -> None:
    restore_backup(folder=backup.folder, database=target)

    def try_all() -> None:
        assert read_standing().role == Role.UNDECIDED
        with pytest.raises(MailError, match="restored or copied"):
            send_mail(subject="x", text="x", to=["a@example.com"])
        assert dispatch_due().claimed == 0

    run_on(target, try_all)
    assert mail.outbox == []
    assert read_standing().role == Role.VAULT  # this one goes on

    run_on(target, lambda: declare_vault(actor=build_actor()))
    run_on(target, lambda: send_mail(subject="x", text="x", to=["a@example.com"]))
    assert len(mail.outbox) == 1


def test_a_backup_of_a_copy_is_restored_as_undecided(tmp_path: Path, target: dict[str, Any]) -> None:
    declare_copy(actor=build_actor())
    backup = make_backup(to=tmp_path)
    restore_backup(folder=backup.folder, database=target)
    assert run_on(target, lambda: read_standing().role) == Role.UNDECIDED
    assert run_on(target, lambda: Installation.objects.get().restored_from) == backup.folder.name


def test_a_database_that_is_not_empty_is_replaced_only_where_that_is_said(
    backup: Backup, target: dict[str, Any]
) -> None:
    restore_backup(folder=backup.folder, database=target)
    run_on(target, lambda: StudyFactory.create(name="LATER"))
    with pytest.raises(BackupError, match=r"is not empty\. .* add --replace"):
        restore_backup(folder=backup.folder, database=target)
    assert run_on(target, Study.objects.count) == 2

    restore_backup(folder=backup.folder, database=target, replace=True)
    assert run_on(target, lambda: list(Study.objects.values_list("name", flat=True))) == ["VLT-01"]


def claim_other_rows(backup: Backup) -> None:
    """Make the manifest tell of another row than the dump has."""
    path = backup.folder / FILE_NAME
    values = json.loads(path.read_text())
    values["tables"]["clinical_study"]["digest"] = "other"
    path.write_text(json.dumps(values))


def claim_another_head(backup: Backup) -> None:
    """Make the manifest tell of an audit trail that was longer than that of the dump."""
    path = backup.folder / FILE_NAME
    values = json.loads(path.read_text())
    position, _, digest = values["audit_head"].partition(":")
    values["audit_head"] = f"{int(position) + 3}:{digest}"
    path.write_text(json.dumps(values))


def break_dump(backup: Backup) -> None:
    """Damage the middle of the dump, where nothing but loading it finds it."""
    path = backup.folder / backup.manifest.files[0].name
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 3 // 4])
    values = json.loads((backup.folder / FILE_NAME).read_text())
    values["files"] = [asdict(describe_file(path))]
    (backup.folder / FILE_NAME).write_text(json.dumps(values))


@pytest.mark.parametrize("damage", [claim_other_rows, claim_another_head, break_dump])
def test_a_backup_that_does_not_hold_leaves_the_vault_as_it_was(
    damage: Callable[[Backup], None], backup: Backup, target: dict[str, Any]
) -> None:
    restore_backup(folder=backup.folder, database=target)
    run_on(target, lambda: declare_vault(actor=build_actor()))
    run_on(target, lambda: StudyFactory.create(name="LATER"))
    damage(backup)

    with pytest.raises(BackupError):
        restore_backup(folder=backup.folder, database=target, replace=True)

    assert run_on(target, lambda: read_standing().role) == Role.VAULT
    assert run_on(target, lambda: verify_trail().holds)
    run_on(target, lambda: StudyFactory.create(name="LATEST"))
    names = run_on(target, lambda: list(Study.objects.order_by("pk").values_list("name", flat=True)))
    assert names == ["VLT-01", "LATER", "LATEST"]
    assert run_on(target, lambda: list_guard_problems(connection)) == []


def test_what_is_damaged_is_refused(backup: Backup, target: dict[str, Any]) -> None:
    dump = backup.folder / backup.manifest.files[0].name
    whole = dump.read_bytes()
    dump.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(BackupError, match="is not as it was written"):
        restore_backup(folder=backup.folder, database=target)
    dump.unlink()
    with pytest.raises(BackupError, match="is missing"):
        restore_backup(folder=backup.folder, database=target)
    dump.write_bytes(whole)
    text = (backup.folder / FILE_NAME).read_text()
    (backup.folder / FILE_NAME).write_text(text[:-20])
    with pytest.raises(BackupError, match="it is damaged"):
        restore_backup(folder=backup.folder, database=target)
    (backup.folder / FILE_NAME).unlink()
    with pytest.raises(BackupError, match="it is no backup"):
        restore_backup(folder=backup.folder, database=target)


def test_rows_that_differ_from_the_manifest_are_named(backup: Backup, target: dict[str, Any]) -> None:
    claim_other_rows(backup)
    path = backup.folder / FILE_NAME
    values = json.loads(path.read_text())
    values["tables"]["clinical_person"]["rows"] = 7
    path.write_text(json.dumps(values))
    with pytest.raises(BackupError) as refusal:
        restore_backup(folder=backup.folder, database=target)
    assert "The table clinical_study has as many rows as it had, 1, with other values." in str(refusal.value)
    assert "The table clinical_person has 0 rows, and had 7." in str(refusal.value)
    assert not has_tables(target)


def test_a_trail_that_was_cut_before_the_backup_does_not_hold(backup: Backup, target: dict[str, Any]) -> None:
    claim_another_head(backup)
    with pytest.raises(BackupError, match="audit trail of the restored database does not hold"):
        restore_backup(folder=backup.folder, database=target)
    assert not has_tables(target)


def test_a_backup_of_a_newer_version_is_refused(backup: Backup, target: dict[str, Any]) -> None:
    path = backup.folder / FILE_NAME
    values = json.loads(path.read_text())
    values["version"], values["migrations"] = "9.0", [*values["migrations"], "clinical.9999_later"]
    path.write_text(json.dumps(values))
    with pytest.raises(BackupError, match=r"newer version 9\.0.*clinical\.9999_later"):
        restore_backup(folder=backup.folder, database=target)


def test_keys_that_are_missing_are_named_before_anything_is_replaced(
    backup: Backup, target: dict[str, Any], settings: Settings
) -> None:
    assert list(backup.manifest.keys) == ["test"]
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="another")]
    with pytest.raises(BackupError, match="need the keys test,"):
        restore_backup(folder=backup.folder, database=target)
    settings.FIELD_ENCRYPTION_KEYS = [create_key(key_id="test")]
    with pytest.raises(BackupError, match="another key than the backup under the ids test"):
        restore_backup(folder=backup.folder, database=target)
    restore_backup(folder=backup.folder, database=target, without_keys=True)
    assert run_on(target, Study.objects.count) == 1


def test_keys_are_written_apart_and_never_into_the_backup(
    tmp_path: Path, transactional_db: None, settings: Settings
) -> None:
    AuthorizationFactory.create()
    with pytest.raises(BackupError, match="lies with the backups"):
        make_backup(to=tmp_path / "data", keys_to=tmp_path / "data" / "keys")
    backup = make_backup(to=tmp_path / "data", keys_to=tmp_path / "keys")
    assert backup.keys is not None
    assert json.loads(backup.keys.read_text())["FIELD_ENCRYPTION_KEYS"] == settings.FIELD_ENCRYPTION_KEYS
    assert backup.manifest.keys_are_beside
    secret = settings.FIELD_ENCRYPTION_KEYS[0].partition(":")[2].encode()
    for path in (tmp_path / "data").rglob("*"):
        assert path.is_dir() or (
            secret not in path.read_bytes() and settings.SECRET_KEY.encode() not in path.read_bytes()
        )
    files = [backup.keys, *backup.folder.iterdir()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}
    assert stat.S_IMODE(backup.folder.stat().st_mode) == 0o700


def test_old_backups_go_once_the_new_one_is_there(tmp_path: Path, transactional_db: None) -> None:
    made = []
    for day in range(3):
        with time_machine.travel(get_now() + timedelta(days=day), tick=False):
            made.append(make_backup(to=tmp_path, keep=2))
    assert [each.folder for each in list_backups(tmp_path)] == [made[2].folder, made[1].folder]
    assert made[2].removed == (made[0].folder,)
    assert not made[0].folder.exists()
    with pytest.raises(BackupError, match="Name 1 or more"):
        make_backup(to=tmp_path, keep=0)


def test_a_backup_that_fails_leaves_nothing_and_removes_nothing(
    tmp_path: Path, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = make_backup(to=tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=10))
    with time_machine.travel(get_now() + timedelta(days=1), tick=False), pytest.raises(BackupError, match="Make room"):
        make_backup(to=tmp_path, keep=1)
    assert [path.name for path in tmp_path.iterdir()] == [kept.folder.name]


def test_commands(tmp_path: Path, transactional_db: None, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("backup", "--to", str(tmp_path), "--json")
    told = json.loads(capsys.readouterr().out)
    assert Manifest.read(Path(told["folder"])).rows == told["rows"]
    assert told["keys"] is None
    with pytest.raises(CommandError, match="is not empty"):
        call_command("restore", str(tmp_path))
    with pytest.raises(CommandError, match="holds no backup"):
        call_command("restore", str(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("script", "said"),
    [
        ("ulimit -f 1\nexec head -c 1000000 /dev/zero > file", "larger than this process may write"),
        ("kill -TERM $$", "the system ended it (Terminated)"),
        ("exit 3", "exit code 3"),
        ("echo 'no room' >&2; exit 1", "no room"),
    ],
)
def test_a_tool_that_failed_is_told_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tool = tmp_path / "pg_dump"
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    with pytest.raises(BackupError, match=re.escape(said)):
        tools.run_tool(tool, [], database={"NAME": "vault"})


def test_the_password_of_the_database_is_on_no_command_line(tmp_path: Path) -> None:
    log = tmp_path / "log"
    tool = tmp_path / "pg_dump"
    tool.write_text(
        f'#!/bin/sh\necho "$@" > {log}\ncat "$PGPASSFILE" >> {log}\nenv | grep -c s3cr > {log}.env\nexit 0\n'
    )
    tool.chmod(0o755)
    database = {"NAME": "vault", "HOST": "db", "PORT": 5433, "USER": "owner", "PASSWORD": "s3cr:et", "OPTIONS": {}}
    tools.run_tool(tool, [], database={**database, "OPTIONS": {"sslmode": "require", "options": "-c jit=off"}})
    arguments, password = log.read_text().splitlines()
    assert arguments == "--no-password --dbname dbname=vault host=db port=5433 user=owner sslmode=require"
    assert password == "*:*:*:*:s3cr\\:et"
    assert Path(f"{log}.env").read_text().strip() == "0"
