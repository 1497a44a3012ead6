"""The manifest of a backup: what is in it, and how a restored database proves to be the same. It is written last."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from ctms.machine.backups.digests import TableState
from ctms.machine.backups.errors import BackupError

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME = "manifest.json"
_FORMAT = 1
_PIECE = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupFile:
    """A file of a backup: its size in bytes and its digest."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a backup holds. `keys` has the id and the check value of each key that its secrets need, never a key."""

    made_at: str  # ISO, UTC
    version: str
    engine: str  # postgresql or sqlite
    tool: str  # the version of what wrote the dump
    instance: str  # uid of the installation that it is of
    audit_head: str
    migrations: list[str]
    tables: dict[str, TableState]
    files: list[BackupFile]
    keys: dict[str, str] = field(default_factory=dict)
    keys_are_beside: bool = False
    format: int = _FORMAT

    @property
    def rows(self) -> int:
        """The number of rows of all tables."""
        return sum(table.rows for table in self.tables.values())

    @property
    def size(self) -> int:
        """The bytes of all files."""
        return sum(each.size for each in self.files)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Return the manifest of a backup's folder. Raises BackupError if there is none that can be read."""
        path = folder / FILE_NAME
        try:
            values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            if values["format"] != _FORMAT:
                raise BackupError(
                    f"{path} has the format {values['format']}, and this version reads {_FORMAT}. Restore it with the "
                    f"version that made it: {values.get('version')}."
                )
            tables = {name: TableState(**state) for name, state in values.pop("tables").items()}
            return cls(**{**values, "tables": tables, "files": [BackupFile(**each) for each in values["files"]]})
        except FileNotFoundError:
            raise BackupError(
                f"{folder} holds no {FILE_NAME}: it is no backup, or one that was not finished. Name the folder of one."
            ) from None
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise BackupError(
                f"{path} cannot be read ({type(error).__name__}): it is damaged. Restore another backup."
            ) from error

    def write(self, folder: Path) -> None:
        """Write the manifest at once, for its owner alone."""
        write_private(folder / FILE_NAME, json.dumps(asdict(self), indent=1, sort_keys=True))

    def verify_files(self, folder: Path) -> None:
        """Raise BackupError naming a file that is missing or is not as it was written."""
        for each in self.files:
            path = folder / each.name
            if not path.is_file():
                raise BackupError(f"{path} is missing: the backup is incomplete. Restore another one.")
            if describe_file(path) != each:
                raise BackupError(f"{path} is not as it was written (sha256): it is damaged. Restore another backup.")


def describe_file(path: Path) -> BackupFile:
    """Return name, size and digest of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return BackupFile(name=path.name, size=path.stat().st_size, sha256=digest.hexdigest())


def write_private(path: Path, text: str) -> None:
    """Write a file that its owner alone can read, so that it is there as a whole or not at all."""
    work = path.with_name(f".{path.name}.part")
    work.unlink(missing_ok=True)
    with os.fdopen(os.open(work, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())
    work.replace(path)
