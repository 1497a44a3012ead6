"""Proves that a database is what a backup's manifest says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ctms.audit.chain import Head
from ctms.audit.verification import verify_trail
from ctms.machine.backups import postgresql, sqlite
from ctms.machine.backups.databases import is_postgresql, run_on

if TYPE_CHECKING:
    from ctms.machine.backups.digests import TableState
    from ctms.machine.backups.manifest import Manifest

_TOLD = 20


def list_differences(manifest: Manifest, *, database: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each table that is not as it was: missing, new, or with other rows."""
    is_server = is_postgresql(database)
    found = postgresql.read_tables(database) if is_server else sqlite.read_tables(database)
    return compare_tables(expected=manifest.tables, found=found)


def compare_tables(*, expected: Mapping[str, TableState], found: Mapping[str, TableState]) -> list[str]:
    """Return a sentence for each table that differs."""
    sentences = []
    for name in sorted(expected.keys() | found.keys()):
        was, now = expected.get(name), found.get(name)
        if now is None:
            sentences.append(f"The table {name} is missing.")
        elif was is None:
            sentences.append(f"The table {name} was not in the backup.")
        elif was.rows != now.rows:
            sentences.append(f"The table {name} has {now.rows:,} rows, and had {was.rows:,}.")
        elif was != now:
            sentences.append(f"The table {name} has as many rows as it had, {now.rows:,}, with other values.")
    return sentences


def list_trail_findings(head: str, *, database: Mapping[str, Any]) -> list[str]:
    """Return what does not hold of the audit trail of a database whose tables are those of this version.

    `head` is that of the chain when the backup was made; empty if nobody kept it.
    """
    expected = Head.parse(head) if head else None
    result = run_on(database, lambda: verify_trail(expected=expected if expected and expected.position else None))
    more = [f"… and {result.found - _TOLD:,} more."] if result.found > _TOLD else []
    return [*result.findings[:_TOLD], *more]
