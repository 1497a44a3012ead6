"""The records that a user chose for rows which would have created others like them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ctms.records.access import ObjectAccess
from ctms.records.choices import ProblemKind
from ctms.records.fields.references import describe_choice
from ctms.records.writing.bulk_write import RowDraft, load_for_writing


class UnusableRecordError(Exception):
    """The row cannot use the record that was chosen for it; the message says why."""


@dataclass(slots=True, kw_only=True)
class ChosenRecords:
    """Finds the record that was chosen for a line. `used` is line → uid."""

    access: ObjectAccess
    used: Mapping[int, UUID]
    _lines: dict[UUID, int] = field(default_factory=dict, init=False)  # the first line that uses each record
    _found: dict[UUID, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        for line, uid in sorted(self.used.items()):
            self._lines.setdefault(uid, line)

    def load(self, lines: Iterable[int]) -> None:
        """Load the visible records that were chosen for these lines: one statement, or none if none was."""
        uids = [self.used[line] for line in lines if line in self.used]
        records = load_for_writing(self.access.list_records()).filter(uid__in=uids) if uids else []
        self._found = {record.uid: record for record in records}

    def choose(self, *, draft: RowDraft, matched: Any) -> Any:
        """Return the record that the row changes: the one `matched` by its key, else the chosen one, else None.

        Raises UnusableRecordError if the chosen one is not there any more, or another line changes the record.
        """
        uid = matched.uid if matched is not None else self.used.get(draft.number)
        if uid is None:
            return None
        line = self._lines.get(uid, draft.number)
        if line != draft.number:
            raise UnusableRecordError(f"Line {line} uses the same record, as you chose. Leave one of the two.")
        if matched is not None:
            return matched
        if uid not in self._found:
            raise UnusableRecordError("The record that was chosen for this line is not there any more. Choose again.")
        record = self._found[uid]
        draft.warn(f"Uses {describe_choice(record)}, as you chose.", kind=ProblemKind.USED, record=record)
        return record
