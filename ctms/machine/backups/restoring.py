"""Restores a backup: refuses what cannot work, restores beside what is there, compares, and leaves the Vault paused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from django.core.management import call_command
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from ctms.audit.actors import build_system_actor
from ctms.audit.key_rotation import find_unreadable
from ctms.audit.sealing import seal_entries
from ctms.machine.backups import postgresql, sqlite
from ctms.machine.backups.comparing import list_differences, list_trail_findings
from ctms.machine.backups.databases import is_postgresql, run_on
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.keys import require_keys
from ctms.machine.backups.manifest import Manifest
from ctms.machine.backups.replacing import refuse_interrupted, replacing
from ctms.machine.declaring import note_restored, restoring

if TYPE_CHECKING:
    from pathlib import Path

_TOLD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was restored, and what was done after it. `rows` and `tables` are numbers."""

    backup: str  # the name of its folder or file
    made_at: str  # ISO, UTC
    rows: int
    tables: int
    audit_head: str = ""
    is_compared: bool = True
    migrated: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)


def restore_backup(
    *, folder: Path, database: Mapping[str, Any], replace: bool = False, without_keys: bool = False
) -> Restored:
    """Restore a backup into a database; what is there is replaced, with `replace` alone, once the backup proved good.

    It comes up undecided: nothing leaves, and no job runs, until somebody has said what it is. Raises BackupError, and
    then the database is as it was.
    """
    manifest = check_backup(folder=folder, database=database, without_keys=without_keys)
    _refuse_full(database, replace=replace)
    with replacing(database) as target:
        load_dump(manifest, folder=folder, database=target)
        if differences := list_differences(manifest, database=target):
            raise BackupError(_tell("The restored database is not what the backup's manifest says.", differences))
        migrated, done = run_on(target, lambda: _bring_up(manifest.migrations, name=folder.name))
        _refuse_broken_trail(manifest.audit_head, database=target)
    return Restored(
        backup=folder.name,
        made_at=manifest.made_at,
        rows=manifest.rows,
        tables=len(manifest.tables),
        audit_head=manifest.audit_head,
        migrated=migrated,
        done=done,
    )


def restore_dump(
    *, path: Path, database: Mapping[str, Any], replace: bool = False, without_keys: bool = False
) -> Restored:
    """Restore what pg_dump wrote, without a manifest: as release 0.2 had backups made. Raises BackupError.

    Nothing says what it held, so that nothing can be compared; all else is as in `restore_backup`.
    """
    if not is_postgresql(database):
        raise BackupError(f"{path} is a single file. Name the folder of a backup that manage.py backup made.")
    postgresql.require_readable(path, database=database, written_by="")
    _refuse_full(database, replace=replace)
    made_at = dt.datetime.fromtimestamp(path.stat().st_mtime, tz=dt.UTC).isoformat(timespec="seconds")
    with replacing(database) as target:
        postgresql.restore(path, database=target, written_by="")
        tables = postgresql.read_tables(target)
        if MigrationRecorder.Migration._meta.db_table not in tables:
            raise BackupError(f"{path} holds no Vault. Nothing was replaced: name another dump.")
        applied = run_on(target, _list_applied)
        _refuse_newer(applied)
        migrated, done = run_on(target, lambda: _bring_up(applied, name=path.name))
        _refuse_broken_trail("", database=target)
        if not without_keys:
            run_on(target, _refuse_unreadable)
    return Restored(
        backup=path.name,
        made_at=made_at,
        rows=sum(table.rows for table in tables.values()),
        tables=len(tables),
        is_compared=False,
        migrated=migrated,
        done=done,
    )


def check_backup(*, folder: Path, database: Mapping[str, Any], without_keys: bool = False) -> Manifest:
    """Return the manifest of a backup that can be restored here. Raises BackupError saying why it cannot."""
    manifest = Manifest.read(folder)
    engine = "postgresql" if is_postgresql(database) else "sqlite"
    if manifest.engine != engine:
        raise BackupError(
            f"The backup is of {manifest.engine}, and this Vault's database is {engine}. Restore it where the database "
            "is of the same kind."
        )
    _refuse_newer(manifest.migrations, version=manifest.version)
    manifest.verify_files(folder)
    if not without_keys:
        require_keys(manifest.keys)
    if is_postgresql(database):
        path = folder / postgresql.DUMP
        postgresql.require_readable(path, database=database, written_by=manifest.tool)
    return manifest


def load_dump(manifest: Manifest, *, folder: Path, database: Mapping[str, Any]) -> None:
    """Load the dump of a backup into an empty database."""
    if is_postgresql(database):
        postgresql.restore(folder / postgresql.DUMP, database=database, written_by=manifest.tool)
    else:
        sqlite.restore(folder / sqlite.DUMP, database=database)


def has_tables(database: Mapping[str, Any]) -> bool:
    """Whether there is any table in a database."""
    return postgresql.has_tables(database) if is_postgresql(database) else sqlite.has_tables(database)


def _bring_up(before: Iterable[str], *, name: str) -> tuple[list[str], list[str]]:
    """Migrate, and make the Vault undecided; return the migrations that were applied and what was ended."""
    with restoring():
        call_command("migrate", interactive=False, verbosity=0)
    done = note_restored(backup=name, actor=build_system_actor(source="command", reference="restore"))
    seal_entries()
    return sorted(set(_list_applied()) - set(before)), done


def _list_applied() -> list[str]:
    return [f"{app}.{name}" for app, name in MigrationRecorder(connections["default"]).applied_migrations()]


def _refuse_full(database: Mapping[str, Any], *, replace: bool) -> None:
    refuse_interrupted(database)
    if not replace and has_tables(database):
        raise BackupError(
            f"The database {database['NAME']} is not empty. Name an empty one, or add --replace: what is in it is "
            "dropped once the backup has proved to be good."
        )


def _refuse_newer(migrations: Iterable[str], *, version: str = "") -> None:
    known = MigrationLoader(None)
    names = {f"{app}.{name}" for app, name in known.disk_migrations}
    # What was squashed since is applied under its old name.
    names |= {f"{app}.{name}" for each in known.disk_migrations.values() for app, name in each.replaces}
    if newer := sorted(set(migrations) - names):
        raise BackupError(
            f"The backup is of {f'the newer version {version}' if version else 'a newer version'}: this one does not "
            f"know its migration {newer[0]}. Install {f'version {version}' if version else 'that one'} or later, then "
            "restore."
        )


def _refuse_broken_trail(head: str, *, database: Mapping[str, Any]) -> None:
    if findings := list_trail_findings(head, database=database):
        raise BackupError(_tell("The audit trail of the restored database does not hold.", findings))


def _refuse_unreadable() -> None:
    count, unreadable = find_unreadable()
    if unreadable:
        raise BackupError(
            f"{len(unreadable)} of {count} stored secrets cannot be read with FIELD_ENCRYPTION_KEYS: {unreadable[0]}. "
            "Add the keys of that installation, or restore without them: --without-keys."
        )


def _tell(sentence: str, details: list[str]) -> str:
    more = f" … and {len(details) - _TOLD:,} more." if len(details) > _TOLD else ""
    return (
        f"{sentence} {' '.join(details[:_TOLD])}{more} The database is as it was before. Restore another backup, and "
        "keep this one to find out why."
    )
