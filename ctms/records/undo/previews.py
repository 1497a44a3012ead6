"""Rows of the page on which the undoing of a change set is looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ctms.audit.change_sets import ChangeSet
from ctms.audit.reading import EntryReader, ToldEntry
from ctms.audit.words import ToldChange
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.undo.history import Unit
from ctms.records.writing.bulk_write import RowDraft, RowProblem

_OUTCOMES: Mapping[str, tuple[str, str]] = {
    "changed": ("planned", "Change back"),
    "deleted": ("overdue", "Delete"),
    "restored": ("accent", "Bring back"),
    "left_out": ("", "As it was"),
    "unchanged": ("", "As it was"),
    "failed": ("failed", "Stays as it is"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoCell:
    """A field that gets back what it was: `now` and `then`."""

    label: str
    now: str
    then: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UndoRow:
    """A record as it would be put back, or why it cannot be."""

    number: int
    object_label: str
    name: str
    url: str
    tone: str
    outcome: str
    cells: tuple[UndoCell, ...]
    problems: tuple[RowProblem, ...]
    is_outdated: bool


def build_undo_rows(
    *, access: ObjectAccess, change_set: ChangeSet, units: Sequence[Unit], drafts: Sequence[RowDraft]
) -> list[UndoRow]:
    """Build a row for each draft, with what its change set changed in it, as the user may read it."""
    entries = change_set.list_entries().filter(record_uid__in=[unit.uid for unit in units])
    told: dict[object, list[ToldEntry]] = {}
    for each in EntryReader(user=access.user).read(entries):
        told.setdefault(each.entry.record_uid, []).append(each)
    rows = []
    for unit, draft in zip(units, drafts, strict=True):
        own = told.get(unit.uid, [])
        tone, outcome = _OUTCOMES[draft.outcome]
        is_there = draft.stored_uid is not None
        rows.append(
            UndoRow(
                number=draft.number,
                object_label=own[0].object_label if own else "",
                name=draft.name if draft.access is not None else "",
                url=get_record_url(draft.record) if is_there else "",
                tone=tone,
                outcome=outcome,
                cells=_build_cells([change for each in own for change in each.changes], draft=draft),
                problems=tuple(draft.problems),
                is_outdated=draft.is_outdated,
            )
        )
    return rows


def _build_cells(changes: Sequence[ToldChange], *, draft: RowDraft) -> tuple[UndoCell, ...]:
    """Return what changes back; nothing of a record that is deleted or brought back as a whole, or stays."""
    if draft.task or draft.outcome != "changed":
        return ()
    cells: dict[str, UndoCell] = {}
    for each in changes:
        before = cells[each.name].then if each.name in cells else each.before
        cells[each.name] = UndoCell(label=each.label, now=each.after, then=before)
    return tuple(cells.values())
