"""Verifies the audit trail: names every entry that was changed, removed, inserted, moved or dated back.

The seals are read in their order together with their entries, once and a few thousand at a time. A seal whose hash does
not follow from the one before is named, and the next is compared with what is stored as well as with what would be
right, so that one change names one entry.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import connection

from ctms.audit.bookmarks import Bookmark, read_bookmark
from ctms.audit.chain import (
    FORMATS,
    ORIGIN,
    REDACTED_ENTRIES,
    Head,
    build_columns,
    compute_commitment,
    compute_hash,
    is_redacted,
)
from ctms.audit.choices import AuditAction, RedactionState
from ctms.audit.guards import list_guard_problems
from ctms.audit.models import AuditEntry, AuditRedaction, AuditSeal, AuditSealing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_ROWS = 5000
_DAY = 24 * 60 * 60
_LISTED = 1000  # findings; the number of all is told

_UNSEALED = (
    "FROM audit_auditentry AS entry "
    "WHERE NOT EXISTS (SELECT 1 FROM audit_auditseal AS seal WHERE seal.entry_id = entry.id)"
)
_WAS_VISIBLE = {
    "postgresql": "pg_visible_in_snapshot(entry.transaction_number::text::xid8, %s::pg_snapshot)",
    "sqlite": "entry.id <= %s",
}


@dataclass(slots=True, kw_only=True)
class Verification:
    """What was found. The trail holds if there are no findings; `days` has the last place of each day (UTC)."""

    findings: list[str] = field(default_factory=list)
    found: int = 0
    verified: int = 0
    unsealed: int = 0
    redacted: int = 0
    redactions: list[str] = field(default_factory=list)
    head: Head
    days: dict[date, Head] = field(default_factory=dict)
    _of_clock: int = 0

    @property
    def holds(self) -> bool:
        return self.found == 0

    def add(self, finding: str, *, is_of_clock: bool = False) -> None:
        """Note a finding; only the first thousand are kept, and of those about clocks the first thousand of them."""
        self.found += 1
        self._of_clock += is_of_clock
        number = self._of_clock if is_of_clock else self.found - self._of_clock
        if number <= _LISTED:
            self.findings.append(finding)

    def add_redaction(self, redaction: str) -> None:
        """Note an entry that was redacted; only the first thousand are kept."""
        self.redacted += 1
        if len(self.redactions) < _LISTED:
            self.redactions.append(redaction)


@dataclass(slots=True, kw_only=True)
class _Row:
    """A seal and its entry, if there is one. Times are seconds since 1970, None if there is no such time."""

    position: int
    entry_id: int
    format: int
    salt: bytes | None
    commitment: bytes
    hash: bytes
    found_id: int | None
    at: int | None
    written_at: int | None
    columns: tuple[Any, ...]


def get_verified_head() -> Head | None:
    """Return the head that `AUDIT_VERIFIED_UP_TO` names; None if it names none. Raises UnreadableHeadError."""
    return Head.parse(settings.AUDIT_VERIFIED_UP_TO) if settings.AUDIT_VERIFIED_UP_TO else None


def verify_trail(
    *, expected: Head | None = None, since: Head | None = None, report_progress: Callable[[int], None] | None = None
) -> Verification:
    """Verify the triggers, the chain and its entries.

    `expected` is a head that was kept outside: the chain must lead through it. With `since`, only what follows that
    head is verified. `report_progress` is called with the number of seals that were read, every few thousand.
    """
    result = Verification(head=since or Head(position=0, hash=ORIGIN))
    for problem in list_guard_problems(connection):
        result.add(problem)
    outside = AuditSeal.objects.filter(position__lt=1).values_list("position", "entry_id")
    for position, entry_id in outside[:_LISTED]:
        result.add(f"Entry {entry_id} has a seal at position {position}, outside of the chain: it was never verified.")
    progress = AuditSealing.objects.filter(pk=1).first()
    known = Head(position=progress.position, hash=bytes(progress.hash)) if progress else None
    marks = [mark for mark in (since, expected, known) if mark is not None and mark.position]
    _Chain(result=result, marks=marks).verify(report_progress=report_progress)
    _find_unsealed(result=result, progress=progress)
    return result


class _Chain:
    """One reading of the chain."""

    def __init__(self, *, result: Verification, marks: list[Head]) -> None:
        self.result = result
        self.marks: dict[int, set[bytes]] = {}
        for mark in marks:
            self.marks.setdefault(mark.position, set()).add(mark.hash)
        self.stored = result.head.hash  # the hash before, as it is stored
        self.computed = result.head.hash  # and as it would be right
        self.redactions = _read_redactions()
        self.reread = False
        self.days: dict[int, Head] = {}  # by day since 1970
        self.latest = 0  # the latest time at which the database wrote an entry that is sealed already
        self.tolerance = 2 * settings.DATABASE_TRANSACTION_SECONDS

    def verify(self, *, report_progress: Callable[[int], None] | None) -> None:
        begin = self.result.head.position
        for position, digest in AuditSeal.objects.filter(
            position__in=[position for position in self.marks if position <= begin]
        ).values_list("position", "hash"):
            self._compare_mark(position=position, digest=bytes(digest))
        for rows in _read_batches(after=begin):
            self.reread = False
            for row in rows:
                self._verify_row(row)
            if report_progress is not None:
                report_progress(self.result.verified)
        self.result.days = {datetime.fromtimestamp(day * _DAY, tz=UTC).date(): head for day, head in self.days.items()}
        for position in sorted(self.marks):
            self.result.add(
                f"The chain once had position {position}, and has it no longer: it ends at position "
                f"{self.result.head.position}."
            )

    def _compare_mark(self, *, position: int, digest: bytes) -> None:
        """Compare a place with what is known of it from elsewhere."""
        if self.marks.pop(position, {digest}) != {digest}:
            self.result.add(
                f"The hash of position {position} is not the one that was kept: the chain was made anew at or before "
                "that position."
            )

    def _verify_row(self, row: _Row) -> None:
        expected = self.result.head.position + 1
        if row.position != expected:
            last = row.position - 1
            places = f"position {expected}" if last == expected else f"positions {expected} to {last}"
            self.result.add(f"Seals were removed: {places}.")
        if row.found_id is None:
            self.result.add(f"Entry {row.entry_id} (position {row.position}) was removed.")
            self.computed = row.hash
        elif row.format not in FORMATS:
            self.result.add(
                f"Entry {row.entry_id} (position {row.position}) was sealed with format {row.format}, which this "
                "version does not know: its seal was changed, or the Vault is older than the seal."
            )
            self.computed = row.hash
        else:
            self._verify_digests(row)
            self._verify_times(row)
        self.stored = row.hash
        self.result.head = head = Head(position=row.position, hash=row.hash)
        if self.latest:
            self.days[self.latest // _DAY] = head
        self.result.verified += 1
        self._compare_mark(position=row.position, digest=row.hash)

    def _verify_digests(self, row: _Row) -> None:
        if row.salt is None and row.entry_id not in self.redactions and not self.reread:
            # It may have been approved since they were read; the approval is committed with its redaction.
            self.redactions, self.reread = _read_redactions(), True
        commitment = row.commitment
        if row.salt is not None:
            commitment = compute_commitment(seal_format=row.format, salt=row.salt, row=row.columns)
        computed = self._compute_hash(row, previous=self.stored)
        follows = computed == row.hash
        if not follows and self.stored != self.computed:
            computed = self._compute_hash(row, previous=self.computed)
            follows = computed == row.hash
        self.computed = computed
        if commitment != row.commitment:
            self.result.add(f"{_describe(row)}: its values or their seal were changed.")
        elif row.salt is None and not is_redacted(seal_format=row.format, row=row.columns):
            self.result.add(f"{_describe(row)}: its seal has lost its salt, so its values cannot be verified.")
        elif row.salt is None and row.entry_id not in self.redactions:
            self.result.add(f"{_describe(row)}: it was redacted, and nobody approved it.")
        elif row.salt is None and follows:
            self.result.add_redaction(f"{_describe(row)} was redacted: {self.redactions[row.entry_id]}.")
        elif not follows:
            self.result.add(f"{_describe(row)}: it, its place or its seal was changed.")

    def _compute_hash(self, row: _Row, *, previous: bytes) -> bytes:
        return compute_hash(
            previous=previous,
            position=row.position,
            seal_format=row.format,
            row=row.columns,
            commitment=row.commitment,
        )

    def _verify_times(self, row: _Row) -> None:
        """Compare when the entry says that it was written with the database's clock, and that with its place."""
        written = row.written_at
        if written is None:
            if self.latest:
                self.result.add(
                    f"{_describe(row)}: the time at which the database wrote it is missing.", is_of_clock=True
                )
            return
        if written < self.latest - self.tolerance:
            self.result.add(
                f"{_describe(row)}: it was dated back; entries before it in the chain were written later.",
                is_of_clock=True,
            )
        elif row.at is None or abs(row.at - written) > self.tolerance:
            self.result.add(
                f"{_describe(row)}: the database wrote it at {_show(written)}, so it was dated otherwise, or the clock "
                "of the host or of the database was wrong.",
                is_of_clock=True,
            )
        self.latest = max(self.latest, written)


def _read_redactions() -> dict[int, str]:
    """Return by entry who asked for its redaction, who approved it, and why.

    What was redacted is what the audit trail says, whose entries are verified themselves; the row of the redaction,
    which could have been changed, must name the same entries and the same approver.
    """
    done = AuditRedaction.objects.filter(state=RedactionState.DONE).select_related("created_by", "decided_by")
    by_uid = {each.uid: each for each in done}
    events = AuditEntry.objects.filter(object_name=AuditRedaction.object_name, action=AuditAction.EVENT)
    redacted: dict[int, str] = {}
    for event in events.order_by("id").iterator():
        redaction = by_uid.get(event.record_uid) if event.record_uid else None
        named = event.changes.get(REDACTED_ENTRIES)
        if redaction is None or redaction.entry_ids != named or redaction.decided_by_id != event.actor_id:
            continue
        told = f"asked for by {redaction.created_by}, approved by {redaction.decided_by} ({event.reason})"
        redacted |= dict.fromkeys(redaction.entry_ids, told)
    return redacted


def _describe(row: _Row) -> str:
    when = f" of {_show(row.at)}" if row.at is not None else ""
    return f"Entry {row.entry_id}{when} (position {row.position})"


def _show(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"


def _read_batches(*, after: int) -> Iterator[list[_Row]]:
    """Yield the seals with their entries, some thousand at a time: no transaction stays open, and memory is flat."""
    columns = build_columns(vendor=connection.vendor, alias="entry")
    to_seconds = "extract(epoch FROM {})::bigint"
    if connection.vendor == "sqlite":
        to_seconds = "CAST(strftime('%%s', {}) AS INTEGER)"
    statement = (
        "SELECT seal.position, seal.entry_id, seal.format, seal.salt, seal.commitment, seal.hash, entry.id, "  # noqa: S608  names of columns
        f"{to_seconds.format('entry.at')}, {to_seconds.format('entry.written_at')}, {columns} "
        "FROM audit_auditseal AS seal LEFT JOIN audit_auditentry AS entry ON entry.id = seal.entry_id "
        f"WHERE seal.position > %s ORDER BY seal.position LIMIT {_ROWS}"
    )
    while True:
        with connection.cursor() as cursor:
            cursor.execute(statement, [after])
            rows = [_build_row(row) for row in cursor.fetchall()]
        if not rows:
            return
        yield rows
        after = rows[-1].position


def _build_row(row: Sequence[Any]) -> _Row:
    """Return a row of the statement; a driver may give binary values as a memoryview."""
    position, entry_id, seal_format, salt, commitment, digest, found_id, at, written_at, *columns = row
    return _Row(
        position=position,
        entry_id=entry_id,
        format=seal_format,
        salt=None if salt is None else bytes(salt),
        commitment=bytes(commitment),
        hash=bytes(digest),
        found_id=found_id,
        at=at,
        written_at=written_at,
        columns=tuple(columns),
    )


def _find_unsealed(*, result: Verification, progress: AuditSealing | None) -> None:
    """Count the entries without a seal, and name those that were visible when the trail was last sealed."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {_UNSEALED}")
        result.unsealed = cursor.fetchone()[0]
        bookmark = Bookmark.parse(progress.bookmark) if progress else None
        if not result.unsealed or bookmark is None or bookmark.database != read_bookmark().database:
            return
        place = bookmark.snapshot if connection.vendor == "postgresql" else bookmark.horizon
        late = f"{_UNSEALED} AND {_WAS_VISIBLE[connection.vendor]}"
        cursor.execute(f"SELECT count(*) {late}", [place])
        number = cursor.fetchone()[0]
        cursor.execute(f"SELECT entry.id {late} ORDER BY entry.id LIMIT {_LISTED}", [place])
        listed = cursor.fetchall()
    for (entry_id,) in listed:
        result.add(
            f"Entry {entry_id} has no seal, though the trail was sealed since: its seal was removed, or it was "
            "inserted past the database's own numbers."
        )
    result.found += number - len(listed)
