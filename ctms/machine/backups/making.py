"""Makes a backup: the database of one snapshot, what it held then, and the keys in another place.

The folder has another name until the backup is complete and verified, so that what is named as a backup is one. Only
then are older ones removed.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.db.migrations.recorder import MigrationRecorder

from ctms import __version__
from ctms.audit.chain import ORIGIN, Head
from ctms.audit.models import AuditSeal
from ctms.core.clock import get_now
from ctms.machine.backups import postgresql, sqlite
from ctms.machine.backups.databases import get_own_database, is_postgresql
from ctms.machine.backups.digests import TableState, read_postgresql_tables, read_sqlite_tables
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.keys import list_key_checks, write_keys
from ctms.machine.backups.manifest import FILE_NAME, Manifest, describe_file
from ctms.machine.backups.tools import find_tool
from ctms.machine.models import Installation

if TYPE_CHECKING:
    from collections.abc import Callable

_PREFIX, _UNFINISHED = "vault-", ".unfinished-"
_MEGABYTE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Backup:
    """A backup that is complete."""

    folder: Path
    manifest: Manifest
    keys: Path | None = None
    removed: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Contents:
    """What a snapshot held."""

    tool: str
    tables: dict[str, TableState]
    audit_head: str
    migrations: list[str]
    instance: str
    keys: dict[str, str]


def make_backup(*, to: Path, keys_to: Path | None = None, keep: int | None = None) -> Backup:
    """Make a backup in a new folder below `to`; keep only the last `keep` of this installation.

    Raises BackupError, and then leaves nothing of it behind.
    """
    _refuse_keys_beside(to=to, keys_to=keys_to)
    if keep is not None and keep < 1:
        raise BackupError("--keep: at least one backup is kept. Name 1 or more.")
    made_at = get_now().astimezone(dt.UTC)
    name = f"{_PREFIX}{made_at:%Y%m%dT%H%M%SZ}"
    folder, work = to / name, to / f"{_UNFINISHED}{name}"
    if folder.exists() or work.exists():
        raise BackupError(f"{folder} is there already: another backup was begun in this second. Begin it again.")
    try:
        work.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise BackupError(f"{to} cannot be written to ({error.strerror}). Name another folder in --to.") from error
    try:
        database = get_own_database()
        read = _dump_postgresql if is_postgresql(database) else _dump_sqlite
        contents, dump = read(database, work)
        keys = None if keys_to is None else write_keys(keys_to / name)
        manifest = Manifest(
            made_at=made_at.isoformat(timespec="seconds"),
            version=__version__,
            engine="postgresql" if is_postgresql(database) else "sqlite",
            tool=contents.tool,
            instance=contents.instance,
            audit_head=contents.audit_head,
            migrations=contents.migrations,
            tables=contents.tables,
            files=[describe_file(dump)],
            keys=contents.keys,
            keys_are_beside=keys is not None,
        )
        manifest.write(work)
        Manifest.read(work).verify_files(work)
        work.rename(folder)
    except OSError as error:
        raise BackupError(f"The backup could not be written ({error.strerror}). Make room below {to}.") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)
    removed = [] if keep is None else _remove_old(to=to, keep=keep, instance=manifest.instance)
    return Backup(folder=folder, manifest=manifest, keys=keys, removed=tuple(removed))


def list_backups(folder: Path) -> list[Backup]:
    """Return the complete backups below a folder, the newest first; what cannot be read is left out."""
    found = []
    for each in sorted(folder.glob(f"{_PREFIX}*/{FILE_NAME}"), reverse=True):
        try:
            found.append(Backup(folder=each.parent, manifest=Manifest.read(each.parent)))
        except BackupError:
            continue  # what is damaged is neither restored nor removed by itself
    return sorted(found, key=lambda backup: backup.manifest.made_at, reverse=True)


def _refuse_keys_beside(*, to: Path, keys_to: Path | None) -> None:
    if keys_to is None:
        return
    data, keys = to.resolve(), keys_to.resolve()
    if data == keys or data in keys.parents or keys in data.parents:
        raise BackupError(
            f"--keys-to {keys_to} lies with the backups in {to}: whoever has both can read the CRM's secrets. Name a "
            "folder elsewhere, such as on another disk."
        )


def _remove_old(*, to: Path, keep: int, instance: str) -> list[Path]:
    own = [each.folder for each in list_backups(to) if each.manifest.instance == instance]
    for folder in own[keep:]:
        (folder / FILE_NAME).unlink()  # first, so that what is left of it by an accident is no backup
        shutil.rmtree(folder)
    return own[keep:]


def _require_room(folder: Path, *, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise BackupError(
            f"{folder.parent} has {free // _MEGABYTE:,} MB free, and the backup may take {needed // _MEGABYTE + 1:,} "
            "MB. Make room, or name another folder in --to."
        )


def _dump_postgresql(database: Mapping[str, Any], folder: Path) -> tuple[_Contents, Path]:
    with postgresql.hold_snapshot(database) as (connection, snapshot):
        _require_room(folder, needed=postgresql.read_size(connection))
        server = postgresql.read_server(connection)
        tool = postgresql.dump(database, server=server, snapshot=snapshot, folder=folder)
        path = folder / postgresql.DUMP
        tool_path, _ = find_tool("pg_restore", server=server)
        postgresql.run_list(tool_path, path)
        tables = read_postgresql_tables(connection)
        return _describe(tool, tables, lambda query: connection.execute(query).fetchall()), path


def _dump_sqlite(database: Mapping[str, Any], folder: Path) -> tuple[_Contents, Path]:
    _require_room(folder, needed=sqlite.get_path(database).stat().st_size)
    tool = sqlite.dump(database, folder=folder)
    path = folder / sqlite.DUMP
    with sqlite.connect(path) as connection:
        tables = read_sqlite_tables(connection)
        return _describe(tool, tables, lambda query: connection.execute(query).fetchall()), path


def _describe(tool: str, tables: dict[str, TableState], read: Callable[[str], Iterable[tuple[Any, ...]]]) -> _Contents:
    """Read what else the manifest says, within the snapshot that `read` sees."""
    seals, installation = AuditSeal._meta.db_table, Installation._meta.db_table
    migrations = MigrationRecorder.Migration._meta.db_table
    if lacking := {seals, installation} - tables.keys():
        raise BackupError(f"The database has no table {', '.join(sorted(lacking))}: run manage.py migrate first.")
    last = list(read(f"SELECT position, hash FROM {seals} ORDER BY position DESC LIMIT 1"))  # noqa: S608  names of tables
    head = Head(position=last[0][0], hash=bytes(last[0][1])) if last else Head(position=0, hash=ORIGIN)
    applied = sorted(f"{app}.{name}" for app, name in read(f"SELECT app, name FROM {migrations}"))  # noqa: S608
    uids = [str(uid).replace("-", "") for (uid,) in read(f"SELECT uid FROM {installation}")]  # noqa: S608

    def read_column(table: str, column: str) -> Iterable[Any]:
        return [value for (value,) in read(f'SELECT "{column}" FROM "{table}"')] if table in tables else []  # noqa: S608

    return _Contents(
        tool=tool,
        tables=tables,
        audit_head=str(head),
        migrations=applied,
        instance=uids[0] if uids else "",
        keys=list_key_checks(read_column),
    )


def find_folder(path: Path) -> Path:
    """Return the folder of a backup: the one that is named, or the newest below it. Raises BackupError."""
    if (path / FILE_NAME).exists():
        return path
    found = list_backups(path) if path.is_dir() else []
    if not found:
        raise BackupError(f"{path} holds no backup. Name the folder of one, or the folder that holds them.")
    return found[0].folder
