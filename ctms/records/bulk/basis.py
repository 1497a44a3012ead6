"""What a user was shown of each row of an operation before confirming it; nothing else is written.

The check notes a line for each row, and doing the operation compares what it is about to write with it. What changed
meanwhile becomes a problem of the row, which says who changed what. The comparison only words the conflict: the writer
itself refuses a record that has not the version that it was planned from.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import formats, timezone
from django.utils.text import Truncator

from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.reading import EntryReader, ToldEntry
from ctms.records.writing.bulk_write import RowDraft

_NEW, _LEFT_OUT, _FAILED = "new", "left out", "failed"
_MOST_TOLD = 5  # changes of one record
_LONGEST_VALUE = 120
_NOT_WRITTEN = "It stays as it is; check it again to change it, too."
_WAS_FAILED = (
    "There was something wrong with this when it was checked, so it was not written. It could be now: check it again."
)
_WAS_THERE = "This record was deleted after it was checked, or it is not found any more; no new one was created."
_WAS_ANOTHER = "When this was checked, it would not have changed this record. It stays as it is; check it again."


@dataclass(slots=True, kw_only=True)
class Basis:
    """The lines of an operation's rows, in their order; `own_reference` is that of its own entries in the trail."""

    user: User
    own_reference: str
    lines: list[str] = field(default_factory=list)

    def note(self, drafts: Iterable[RowDraft]) -> None:
        """Add the lines of these rows as they are shown to the user."""
        self.lines += [_write_line(draft) for draft in drafts]

    def compare(self, *, drafts: Sequence[RowDraft], start: int) -> None:
        """Refuse each draft that would write something else than the user was shown. `start` is the first's position.

        Takes no statement where nothing changed. An operation that was confirmed before there were lines has none.
        """
        if not self.lines:
            return
        changed: list[tuple[RowDraft, int]] = []
        for draft, line in zip(drafts, self.lines[start : start + len(drafts)], strict=True):
            if draft.outcome in ("failed", "left_out", "unchanged") or _write_line(draft) == line:
                continue
            draft.is_outdated = True
            uid, _, version = line.partition(" ")
            if line == _FAILED:
                draft.refuse(_WAS_FAILED)
            elif draft.is_new:
                draft.refuse(_WAS_THERE)
            elif uid != str(draft.record.uid):
                draft.refuse(_WAS_ANOTHER)
            else:
                changed.append((draft, int(version)))
        if changed:
            self._explain(changed)

    def _explain(self, changed: Sequence[tuple[RowDraft, int]]) -> None:
        entries = self._list_entries([draft.record.uid for draft, _ in changed])
        for draft, version in changed:
            since = entries.get(draft.record.uid, [])[: max(draft.record.version - version, 0)]
            if since and all(each.entry.reference == self.own_reference for each in since):
                draft.is_outdated = False  # another row of this operation made its name follow
                continue
            _refuse(draft=draft, since=since)

    def _list_entries(self, uids: Sequence[UUID]) -> dict[UUID, list[ToldEntry]]:
        """Return the changes of each record, the latest first, as the user may read them."""
        found = AuditEntry.objects.filter(record_uid__in=uids, action=AuditAction.CHANGED).order_by("-id")
        listed: dict[UUID, list[ToldEntry]] = {}
        for told in EntryReader(user=self.user).read(found):
            if told.entry.record_uid is not None:
                listed.setdefault(told.entry.record_uid, []).append(told)
        return listed


def _write_line(draft: RowDraft) -> str:
    if draft.problems or draft.record is None:
        return _FAILED
    if draft.is_left_out:
        return _LEFT_OUT
    return _NEW if draft.is_new else f"{draft.record.uid} {draft.record.version}"


def _refuse(*, draft: RowDraft, since: Sequence[ToldEntry]) -> None:
    told = [(each.entry, change) for each in since for change in each.changes][:_MOST_TOLD]
    for entry, change in told:
        before, after = (Truncator(text).chars(_LONGEST_VALUE) or "empty" for text in (change.before, change.after))
        draft.refuse(
            f"{entry.actor_name} changed it on {_format_time(entry.at)}, after it was checked: from “{before}” to "
            f"“{after}”. {_NOT_WRITTEN}",
            label=change.label,
            value=change.after,
        )
    if not told:
        record = draft.record
        draft.refuse(
            f"{record.modified_by} changed it on {_format_time(record.modified_at)}, after it was checked. "
            f"{_NOT_WRITTEN}"
        )


def _format_time(at: Any) -> str:
    return formats.date_format(timezone.localtime(at), "DATETIME_FORMAT")
