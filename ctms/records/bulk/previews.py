"""Builds the preview of an operation's rows, a page at a time, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.choices import OperationKind, OperationState
from ctms.records.fields.references import name_record
from ctms.records.fields.values import ValueReader
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft, RowProblem, load_for_writing

ROWS_SHOWN = 50
_LONGEST_NUMBER = 9
_OUTCOMES = {
    "created": ("accent", "Create"),
    "changed": ("planned", "Change"),
    "deleted": ("overdue", "Delete"),
    "restored": ("accent", "Bring back"),
    "unchanged": ("", "No change"),
    "left_out": ("inactive", "Left as it is"),
    "failed": ("failed", "Error"),
}
_OUTDATED = ("overdue", "Changed meanwhile")
_HANDED_OVER = {True: "Handed over", False: "To be handed over"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewCell:
    """A value after the operation; `old` is the present value where that differs."""

    label: str
    text: str
    old: str = ""
    is_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewRow:
    """A row as it would be written, or the row of the file with its problems."""

    number: int
    name: str  # as people call the record now
    url: str
    tone: str
    outcome: str
    cells: tuple[PreviewCell, ...]
    problems: tuple[RowProblem, ...]
    is_outdated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPager:
    """The place of a page of rows among all: `first` and `last` count from 1; a neighbour that is not there is None."""

    first: int
    last: int
    total: int
    earlier: int | None
    later: int | None

    @property
    def text(self) -> str:
        return f"{self.first:,} to {self.last:,} of {self.total:,}"


def build_pager(*, page: str, total: int) -> PreviewPager:
    """Return the place of the page of that number, or of the nearest that there is."""
    pages = max(1, -(-total // ROWS_SHOWN))
    number = min(max(1, int(page)), pages) if page.isdecimal() and len(page) <= _LONGEST_NUMBER else 1
    return PreviewPager(
        first=min((number - 1) * ROWS_SHOWN + 1, total),
        last=min(number * ROWS_SHOWN, total),
        total=total,
        earlier=number - 1 if number > 1 else None,
        later=number + 1 if number < pages else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A number, and the label of what it counts."""

    label: str
    number: int
    is_bad: bool = False

    @property
    def text(self) -> str:
        return f"{self.number:,}"


def build_preview(
    *,
    access: ObjectAccess,
    drafts: Sequence[RowDraft],
    fields: Sequence[ObjectField],
    texts: Sequence[Mapping[str, str]] = (),
) -> list[PreviewRow]:
    """Build a row for each draft with these fields.

    Refused rows show the cells of the file, if `texts` has them, else the present values.
    """
    stored = _load_stored(access=access, drafts=drafts)
    reader = ValueReader(access=access)
    records = [draft.record for draft in drafts if draft.record is not None]
    reader.load(records=[*records, *stored.values()], fields=fields)
    rows = []
    for position, draft in enumerate(drafts):
        tone, outcome = _OUTDATED if draft.is_outdated else _OUTCOMES[draft.outcome]
        present = stored.get(draft.record.pk) if draft.record is not None else None
        if draft.problems and texts:
            typed = texts[position]
            cells = tuple(PreviewCell(label=each.label, text=typed.get(each.api_name, "")) for each in fields)
        elif draft.problems:
            cells = tuple(_build_present(reader=reader, present=present, field=each) for each in fields)
        else:
            cells = tuple(_build_cell(reader=reader, draft=draft, present=present, field=each) for each in fields)
        rows.append(
            PreviewRow(
                number=draft.number,
                name=_name_row(draft=draft, present=present, is_of_file=bool(texts)),
                url=get_record_url(present) if present is not None else "",
                tone=tone,
                outcome=outcome,
                cells=cells,
                problems=tuple(draft.problems),
                is_outdated=draft.is_outdated,
            )
        )
    return rows


def build_figures(operation: BulkOperation) -> list[Figure]:
    """Return how many rows had, or would have, each outcome; outcomes without rows are left out."""
    is_over = operation.finished_at is not None or operation.state == OperationState.RUNNING
    is_undo, is_hand_over = operation.kind == OperationKind.UNDO, operation.kind == OperationKind.HAND_OVER
    words = (
        ("created", "Created" if is_over else "To be created"),
        ("changed", _HANDED_OVER[is_over] if is_hand_over else "Changed" if is_over else "To be changed"),
        ("deleted", "Deleted" if is_over else "To be deleted"),
        ("restored", "Brought back" if is_over else "To be brought back"),
        ("unchanged", "Without change"),
        ("left_out", "Left as they are"),
        ("failed", "Stay as they are" if is_undo else "Refused" if is_over else "With errors"),
    )
    return [
        Figure(label=label, number=operation.counts[name], is_bad=name == "failed")
        for name, label in words
        if operation.counts.get(name)
    ]


def _name_row(*, draft: RowDraft, present: Any, is_of_file: bool) -> str:
    """Return the name of the present record; what a file would create is told by its cells."""
    if present is not None:
        return name_record(present)
    return "" if is_of_file else draft.name


def _load_stored(*, access: ObjectAccess, drafts: Sequence[RowDraft]) -> dict[Any, Any]:
    keys = [draft.record.pk for draft in drafts if draft.record is not None and draft.record.pk is not None]
    if not keys:
        return {}
    return {record.pk: record for record in load_for_writing(access.list_records()).filter(pk__in=keys)}


def _build_present(*, reader: ValueReader, present: Any, field: ObjectField) -> PreviewCell:
    text = reader.show(record=present, field=field).text if present is not None else ""
    return PreviewCell(label=field.label, text=text)


def _build_cell(*, reader: ValueReader, draft: RowDraft, present: Any, field: ObjectField) -> PreviewCell:
    new = reader.show(record=draft.record, field=field).text
    old = reader.show(record=present, field=field).text if present is not None else ""
    return PreviewCell(label=field.label, text=new, old=old or "empty", is_changed=present is not None and new != old)
