"""Builds the preview of an operation's first rows, and its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.configuration.fields import ObjectField
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.choices import OperationState
from ctms.records.fields.values import ValueReader
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft, RowProblem, load_for_writing

_OUTCOMES = {
    "created": ("accent", "Create"),
    "changed": ("planned", "Change"),
    "unchanged": ("", "No change"),
    "left_out": ("inactive", "Left as it is"),
    "failed": ("failed", "Error"),
}


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
    name: str
    url: str
    tone: str
    outcome: str
    cells: tuple[PreviewCell, ...]
    problems: tuple[RowProblem, ...]


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
    """Build a row for each draft with these fields. `texts`, the cells of the file, are shown for refused rows."""
    stored = _load_stored(access=access, drafts=drafts)
    reader = ValueReader(access=access)
    records = [draft.record for draft in drafts if draft.record is not None]
    reader.load(records=[*records, *stored.values()], fields=fields)
    rows = []
    for position, draft in enumerate(drafts):
        tone, outcome = _OUTCOMES[draft.outcome]
        present = stored.get(draft.record.pk) if draft.record is not None else None
        if draft.problems:
            typed = texts[position] if texts else {}
            cells = tuple(PreviewCell(label=each.label, text=typed.get(each.api_name, "")) for each in fields)
        else:
            cells = tuple(_build_cell(reader=reader, draft=draft, present=present, field=each) for each in fields)
        rows.append(
            PreviewRow(
                number=draft.number,
                name=draft.name,
                url=get_record_url(present) if present is not None else "",
                tone=tone,
                outcome=outcome,
                cells=cells,
                problems=tuple(draft.problems),
            )
        )
    return rows


def build_figures(operation: BulkOperation) -> list[Figure]:
    """Return how many rows had, or would have, each outcome; outcomes without rows are left out."""
    is_over = operation.finished_at is not None or operation.state == OperationState.RUNNING
    words = (
        ("created", "Created" if is_over else "To be created"),
        ("changed", "Changed" if is_over else "To be changed"),
        ("unchanged", "Without change"),
        ("left_out", "Left as they are"),
        ("failed", "Refused" if is_over else "With errors"),
    )
    return [
        Figure(label=label, number=operation.counts[name], is_bad=name == "failed")
        for name, label in words
        if operation.counts.get(name)
    ]


def _load_stored(*, access: ObjectAccess, drafts: Sequence[RowDraft]) -> dict[Any, Any]:
    keys = [draft.record.pk for draft in drafts if draft.record is not None and draft.record.pk is not None]
    if not keys:
        return {}
    return {record.pk: record for record in load_for_writing(access.list_records()).filter(pk__in=keys)}


def _build_cell(*, reader: ValueReader, draft: RowDraft, present: Any, field: ObjectField) -> PreviewCell:
    new = reader.show(record=draft.record, field=field).text
    old = reader.show(record=present, field=field).text if present is not None else ""
    return PreviewCell(label=field.label, text=new, old=old or "empty", is_changed=present is not None and new != old)
