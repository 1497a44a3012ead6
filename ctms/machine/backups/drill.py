"""The drill: the last backup is restored into a scratch database, and has to be what its manifest says."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.management import call_command

from ctms.core.clock import format_time, get_now
from ctms.core.errors import EncryptionKeyError
from ctms.core.fields import EncryptedTextField
from ctms.machine.backups import postgresql
from ctms.machine.backups.comparing import list_differences, list_trail_findings
from ctms.machine.backups.databases import get_own_database, is_postgresql, name_database, run_on
from ctms.machine.backups.errors import BackupError
from ctms.machine.backups.restoring import check_backup, load_dump
from ctms.machine.declaring import restoring
from ctms.machine.models import RestoreDrill

if TYPE_CHECKING:
    from datetime import datetime

    from ctms.machine.backups.manifest import Manifest

_SCRATCH = "vault_drill_"


@dataclass(slots=True, kw_only=True)
class Examination:
    """What a drill found. The backup can be relied on if there are no problems."""

    backup: str
    began_at: datetime
    problems: list[str] = field(default_factory=list)
    passed: list[str] = field(default_factory=list)
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        return not self.problems

    @property
    def report(self) -> str:
        """The report in words."""
        verdict = "can be relied on" if self.succeeded else "CANNOT be relied on"
        lines = [f"Backup {self.backup} {verdict}.", f"Begun {format_time(self.began_at)}."]
        lines += [f"- holds: {each}" for each in self.passed]
        lines += [f"- DOES NOT HOLD: {each}" for each in self.problems]
        return "\n".join(lines)


def examine_backup(folder: Path, *, database: Mapping[str, Any] | None = None) -> Examination:
    """Restore a backup beside the Vault's database and compare it; what it restored is removed. Never raises for it.

    Nothing of the Vault's own database is read or written.
    """
    found = Examination(backup=folder.name, began_at=get_now())
    try:
        own = database or get_own_database()
        manifest = check_backup(folder=folder, database=own)
        found.passed.append(
            f"its {len(manifest.files)} file(s), {manifest.size:,} bytes, are as they were written; the keys that it "
            f"needs are here: {', '.join(manifest.keys) or 'none'}"
        )
        found.figures = {
            "made_at": manifest.made_at,
            "version": manifest.version,
            "tables": len(manifest.tables),
            "rows": manifest.rows,
            "bytes": manifest.size,
        }
        with _open_scratch(own) as scratch:
            load_dump(manifest, folder=folder, database=scratch)
            _examine(manifest, scratch=scratch, found=found)
    except BackupError as error:
        found.problems.append(str(error))
    return found


def keep_drill(found: Examination) -> RestoreDrill:
    """Keep what a drill found as a row, which the console shows."""
    return RestoreDrill.objects.create(
        backup=found.backup,
        began_at=found.began_at,
        ended_at=get_now(),
        succeeded=found.succeeded,
        report=found.report,
        figures={**found.figures, "problems": len(found.problems)},
    )


def write_report(drill: RestoreDrill, path: Path) -> None:
    """Write the report as text, and beside it as JSON."""
    path.write_text(f"{drill.report}\n", encoding="utf-8")
    values = {
        "backup": drill.backup,
        "began_at": drill.began_at.isoformat(),
        "ended_at": drill.ended_at.isoformat(),
        "succeeded": drill.succeeded,
        "figures": drill.figures,
        "report": drill.report.splitlines(),
    }
    path.with_suffix(".json").write_text(json.dumps(values, indent=1), encoding="utf-8")


@contextmanager
def _open_scratch(own: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    name = f"{_SCRATCH}{secrets.token_hex(6)}"
    if is_postgresql(own):
        with postgresql.scratch_database(own, name=name) as scratch:
            yield scratch
        return
    with TemporaryDirectory(prefix=_SCRATCH, dir=Path(str(own["NAME"])).parent) as folder:
        yield name_database(own, name=str(Path(folder, "scratch.sqlite3")))


def _examine(manifest: Manifest, *, scratch: Mapping[str, Any], found: Examination) -> None:
    differences = list_differences(manifest, database=scratch)
    found.problems += differences
    if not differences:
        found.passed.append(f"all {manifest.rows:,} rows of {len(manifest.tables)} tables were restored, by digest")
    run_on(scratch, _migrate)
    findings = list_trail_findings(manifest.audit_head, database=scratch)
    found.problems += findings
    if not findings:
        found.passed.append(f"the audit trail, through its head {manifest.audit_head}")
    number, unreadable = run_on(scratch, _read_secrets)
    found.problems += unreadable
    if not unreadable:
        found.passed.append(f"all {number:,} secrets can be read with the keys that are here")


def _migrate() -> None:
    """Bring an older backup's tables up to this version, as a restore does."""
    with restoring():
        call_command("migrate", interactive=False, verbosity=0)


def _read_secrets() -> tuple[int, list[str]]:
    """Decrypt every secret; return how many there are, and what cannot be read."""
    number, problems = 0, []
    for model in apps.get_models():
        names = [each.name for each in model._meta.local_concrete_fields if isinstance(each, EncryptedTextField)]
        for record in model._base_manager.order_by("pk").iterator() if names else ():
            for secret in filter(None, (getattr(record, name) for name in names)):
                number += 1
                try:
                    secret.reveal()
                except EncryptionKeyError as error:
                    problems.append(str(error))
    return number, problems
