"""What a user is shown of the records of a hand-over: before it is asked for, and when it was checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from ctms.accounts.models import User
from ctms.records.addresses import get_record_url
from ctms.records.bulk.handing_over.items import ItemGroup
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.references import name_record
from ctms.records.fields.values import ValueReader, select_references
from ctms.records.writing.bulk_write import RowDraft, RowProblem

ROWS_SHOWN = 50
_OUTCOMES = {
    "changed": ("planned", "Hand over"),
    "unchanged": ("", "Theirs already"),
    "left_out": ("", "Left as it is"),
    "failed": ("failed", "Stays as it is"),
}
_OUTDATED = ("overdue", "Changed meanwhile")


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownItem:
    """A record as people call it, and its fields as HTML."""

    name: str
    url: str
    cells: tuple[tuple[str, SafeString], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGroup:
    """The records of one object: how many there are, and the first of them. Without `is_included` they stay."""

    api_name: str
    label: str
    title: str
    number: int
    headings: tuple[str, ...]
    rows: tuple[ShownItem, ...]
    is_included: bool

    @property
    def number_text(self) -> str:
        return f"{self.number:,}"

    @property
    def more(self) -> str:
        """How many are not shown; empty if all are."""
        return f"{self.number - len(self.rows):,}" if self.number > len(self.rows) else ""


def show_group(*, group: ItemGroup, number: int, is_included: bool) -> ShownGroup:
    """Read the first records of a group with their fields; nothing if it has none or is left out."""
    shape = group.access.shape
    fields = [shape.fields[name] for name in (*group.owned.columns, OWNER) if name in shape.fields]
    rows: tuple[ShownItem, ...] = ()
    if number and is_included:
        records = list(select_references(records=group.records, fields=fields)[:ROWS_SHOWN])
        reader = ValueReader(access=group.access).load(records=records, fields=fields)
        rows = tuple(
            ShownItem(
                name=name_record(record),
                url=get_record_url(record),
                cells=tuple((each.label, reader.show(record=record, field=each).html) for each in fields),
            )
            for record in records
        )
    return ShownGroup(
        api_name=group.owned.api_name,
        label=group.owned.label,
        title=group.access.vault_object.title,
        number=number,
        headings=tuple(each.label for each in fields),
        rows=rows,
        is_included=is_included,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedItem:
    """A record that would be handed over, or why it cannot be."""

    number: int
    object_label: str
    name: str
    url: str
    tone: str
    outcome: str
    now: str
    then: str
    problems: tuple[RowProblem, ...]
    is_outdated: bool


def build_checked_rows(drafts: Sequence[RowDraft], *, to: str) -> list[CheckedItem]:
    """Build a row for each draft. `to` is the new owner."""
    owners = _name_owners(drafts)
    rows = []
    for draft in drafts:
        tone, outcome = _OUTDATED if draft.is_outdated else _OUTCOMES[draft.outcome]
        is_there = draft.record is not None and draft.access is not None
        rows.append(
            CheckedItem(
                number=draft.number,
                object_label=draft.access.vault_object.title if draft.access is not None else "",
                name=draft.name,
                url=get_record_url(draft.record) if is_there else "",
                tone=tone,
                outcome=outcome,
                now=owners.get(draft.before.get("owner"), ""),
                then=to if draft.outcome == "changed" else "",
                problems=tuple(draft.problems),
                is_outdated=draft.is_outdated,
            )
        )
    return rows


def _name_owners(drafts: Sequence[RowDraft]) -> dict[object, str]:
    keys = {draft.before["owner"] for draft in drafts if draft.before.get("owner") is not None}
    return {user.pk: str(user) for user in User.objects.filter(pk__in=keys)}
