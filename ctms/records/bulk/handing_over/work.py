"""The work of a hand-over: plans, batch by batch, drafts that give records of several objects to another owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from ctms.accounts.models import User
from ctms.configuration.registry import UnknownObjectError
from ctms.core.errors import VaultError
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object
from ctms.records.bulk.handing_over.items import Item
from ctms.records.conditions.mine import OWNER
from ctms.records.fields.references import name_record
from ctms.records.writing.bulk_write import RowDraft, UniqueChecker, load_for_writing, prepare_drafts

TO = "to"  # in the plan of an operation: the uid of the new owner
_HIDDEN = "This record was deleted, or you cannot see it any more."


def find_new_owner(plan_value: object) -> User:
    """Return the user whom the plan of an operation names. Raises VaultError if there is none."""
    found = User.objects.filter(uid=UUID(str(plan_value))).first()
    if found is None:
        raise VaultError("This hand-over does not say to whom. Start again.")
    return found


@dataclass(kw_only=True)
class HandOverWork:
    """The work of an operation that hands records over; whoever does not see a place is refused there."""

    access: ObjectAccess
    items: Sequence[Item]
    to: User
    accesses: dict[str, ObjectAccess | None] = field(default_factory=dict)
    unique: dict[str, UniqueChecker] = field(default_factory=dict)

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        """Return drafts of the records from position `start` to before `stop`, from their present state."""
        items = self.items[start:stop]
        drafts = [
            RowDraft(number=number, access=self._open(item.object_name), values={OWNER: self.to})
            for number, item in enumerate(items, start=start + 1)
        ]
        for object_name in dict.fromkeys(item.object_name for item in items):
            self._plan_object(
                object_name,
                [(draft, item) for draft, item in zip(drafts, items, strict=True) if item.object_name == object_name],
            )
        return drafts

    def _plan_object(self, object_name: str, planned: Sequence[tuple[RowDraft, Item]]) -> None:
        access = self._open(object_name)
        if access is None:
            for draft, _ in planned:
                draft.refuse(_HIDDEN)
            return
        records = load_for_writing(access.list_records()).filter(uid__in=[item.uid for _, item in planned])
        found = {record.uid: record for record in records}
        for draft, item in planned:
            draft.record = found.get(item.uid)
            if draft.record is None:
                draft.refuse(_HIDDEN)
            else:
                draft.name = name_record(draft.record)
        unique = self.unique.setdefault(object_name, UniqueChecker(shape=access.shape, noun="record"))
        prepare_drafts(access=access, drafts=[draft for draft, _ in planned if draft.record is not None], unique=unique)

    def _open(self, object_name: str) -> ObjectAccess | None:
        """Return the user's access; None to an object that the user may not read any more."""
        if object_name not in self.accesses:
            try:
                self.accesses[object_name] = open_object(
                    user=self.access.user, object_name=object_name, configuration=self.access.configuration
                )
            except (UnknownObjectError, AccessRefusedError):
                self.accesses[object_name] = None
        return self.accesses[object_name]
