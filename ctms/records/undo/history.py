"""What a change set did to each record, and what was written since, read from the audit trail."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import Max, Q

from ctms.audit.chain import REDACTED
from ctms.audit.change_sets import ERASURE, WRITES, ChangeSet
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.words import CUSTOM_FIELDS, flatten

_MADE = (AuditAction.CREATED, AuditAction.RESTORED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A record of a change set, as an operation keeps it in a line."""

    object_name: str
    uid: UUID

    def __str__(self) -> str:
        return f"{self.object_name} {self.uid}"

    @classmethod
    def read(cls, line: str) -> Unit:
        object_name, _, uid = line.partition(" ")
        return cls(object_name=object_name, uid=UUID(uid))


@dataclass(slots=True, kw_only=True)
class RecordHistory:
    """The entries of a change set about one record, and those that were written about it since, both in order."""

    unit: Unit
    own: list[AuditEntry] = field(default_factory=list)
    since: list[AuditEntry] = field(default_factory=list)

    @property
    def was_made(self) -> bool:
        """Whether the change set created or restored the record."""
        return self.own[0].action in _MADE

    @property
    def was_deleted(self) -> bool:
        """Whether the change set deleted the record in the end."""
        return self.own[-1].action == AuditAction.DELETED

    @property
    def is_redacted(self) -> bool:
        return any(REDACTED in entry.changes for entry in self.own)

    @property
    def is_erased(self) -> bool:
        """Whether the change set erased a person, or the record was erased since."""
        return any(entry.reference == ERASURE for entry in (*self.own, *self.since))

    def list_before(self) -> dict[str, Any]:
        """Return field → stored value before the change set, of the fields that it changed; custom ones by name."""
        before: dict[str, Any] = {}
        for entry in self.own:
            for name, (old, _) in flatten(entry.changes):
                before.setdefault(name, old)
        return before

    def get_uid_before(self, name: str) -> UUID | None:
        """Return the uid of what a reference led to before the change set, as the trail told it; None if it did not."""
        for entry in self.own:
            if name in entry.words:
                text = entry.words[name].get("before_uid")
                return UUID(text) if text else None
        return None

    def get_label(self, name: str) -> str:
        """Return the label that a field had when the change set was written; its name if the trail has none."""
        labels = [str(entry.words[name].get("label", "")) for entry in self.own if name in entry.words]
        return next(filter(None, labels), name)

    def list_values(self) -> dict[str, Any]:
        """Return all values of a deleted record before the change set, by field, as the trail stores them."""
        values = {name: pair[0] for name, pair in self.own[-1].changes.items()}
        for name, old in self.list_before().items():
            if name in values or name in {each for entry in self.own for each in entry.changes}:
                values[name] = old
            else:
                values[CUSTOM_FIELDS] = {**(values.get(CUSTOM_FIELDS) or {}), name: old}
        return values

    def find_later(
        self, names: Collection[str] = (), *, follows: Callable[[AuditEntry], bool] | None = None
    ) -> tuple[AuditEntry, str] | None:
        """Return the latest entry since, and the field in it: of one of these fields, or of any if there are none.

        Entries of which `follows` is true do not count. A redacted one may be about any field.
        """
        for entry in reversed(self.since):
            if entry.action != AuditAction.CHANGED or REDACTED in entry.changes:
                return entry, ""
            if follows is not None and follows(entry):
                continue
            touched = [name for name, _ in flatten(entry.changes)]
            hit = next((name for name in touched if not names or name in names), None)
            if hit is not None:
                return entry, hit
        return None


def find_main(entries: Sequence[AuditEntry]) -> AuditEntry:
    """Return the entry about the record that a change set was about: parts are created after it and deleted before."""
    last = entries[-1]
    return last if last.action == AuditAction.DELETED else entries[0]


def list_units(change_set: ChangeSet) -> list[Unit]:
    """Return the records of a change set, in the order in which they are undone: the last that was written first.

    So a child record comes before what it was created with, and a parent before the parts that were deleted first.
    """
    rows = change_set.list_entries().order_by().values_list("object_name", "record_uid")
    named = rows.annotate(last=Max("id")).order_by("-last")
    return [Unit(object_name=name, uid=uid) for name, uid, _ in named if uid is not None]


def list_made(change_set: ChangeSet) -> set[UUID]:
    """Return the uids of the records that a change set created or restored, and of those that it changed."""
    return {uid for uid in change_set.list_entries().order_by().values_list("record_uid", flat=True) if uid}


def read_histories(*, change_set: ChangeSet, units: Sequence[Unit]) -> list[RecordHistory]:
    """Return the history of each unit, in their order. Takes two statements."""
    found = {unit.uid: RecordHistory(unit=unit) for unit in units}
    for entry in change_set.list_entries().filter(record_uid__in=found):
        found[_uid(entry)].own.append(entry)
    first = min((each.own[0].pk for each in found.values() if each.own), default=0)
    later = AuditEntry.objects.filter(record_uid__in=found, id__gt=first, action__in=WRITES).order_by("id")
    own = {entry.pk for each in found.values() for entry in each.own}
    for entry in later:
        history = found[_uid(entry)]
        if entry.pk not in own and history.own and entry.pk > history.own[-1].pk:
            history.since.append(entry)
    return [found[unit.uid] for unit in units if found[unit.uid].own]


def read_births(uids: Iterable[UUID]) -> dict[UUID, AuditEntry]:
    """Return the entry of each record's creation, which says by whom and when."""
    entries = AuditEntry.objects.filter(record_uid__in=list(uids), action=AuditAction.CREATED).order_by("-id")
    return {_uid(entry): entry for entry in entries}


def read_keys(change_set: ChangeSet) -> dict[UUID, int]:
    """Return the database keys that the deleted parents of a change set had, as their parts referred to them."""
    keys: dict[UUID, int] = {}
    for entry in change_set.list_entries().filter(Q(action=AuditAction.DELETED)):
        for name, words in entry.words.items():
            uid, pair = words.get("before_uid"), entry.changes.get(name)
            if uid and isinstance(pair, list) and isinstance(pair[0], int):
                keys[UUID(uid)] = pair[0]
    return keys


def _uid(entry: AuditEntry) -> UUID:
    if entry.record_uid is None:
        raise TypeError("Entries of change sets name a record.")
    return entry.record_uid
