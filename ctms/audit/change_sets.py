"""Change sets: what a request or an operation, such as an import, wrote. Their entries share the actor's reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

from django.db.models import QuerySet

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.core.uuids import read_uid

CHANGE, EDIT, IMPORT, UNDO, ENTRY = "change", "edit", "import", "undo", "entry"
HAND_OVER = "hand_over"
# What a reference begins with. A change that was written before changes had references is a set of one entry.
_PREFIXES: Mapping[str, str] = {
    CHANGE: "change",
    EDIT: "bulk edit",
    IMPORT: "import",
    HAND_OVER: "hand-over",
    UNDO: "undo",
}
# The entry of an erasure: nothing that was written before is brought back.
ERASURE = "erase_person"
WRITES = (AuditAction.CREATED, AuditAction.CHANGED, AuditAction.DELETED, AuditAction.RESTORED)
_LONGEST_KEY = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeSet:
    """A change set: `key` is the uid in the reference, or the number of the entry of a set of one entry."""

    kind: str
    key: str

    @property
    def reference(self) -> str:
        """The reference of the entries; empty for a set of one entry."""
        return build_reference(kind=self.kind, uid=UUID(self.key)) if self.kind != ENTRY else ""

    def list_entries(self) -> QuerySet[AuditEntry]:
        """Return the entries about records that were written, in their order."""
        entries = AuditEntry.objects.filter(action__in=WRITES, record_uid__isnull=False).order_by("id")
        if self.kind == ENTRY:
            return entries.filter(pk=int(self.key), reference="", source__in=("page", "api"))
        return entries.filter(reference=self.reference)

    @classmethod
    def read(cls, *, kind: str, key: str) -> Self | None:
        """Return the set of that kind and key, which come from an address; None if there can be none."""
        if kind == ENTRY:
            return cls(kind=kind, key=key) if key.isdecimal() and len(key) <= _LONGEST_KEY else None
        uid = read_uid(key)
        return cls(kind=kind, key=str(uid)) if kind in _PREFIXES and uid is not None else None


def build_reference(*, kind: str, uid: UUID | None = None) -> str:
    """Return the reference for the actor of a change set; that of a new one without `uid`."""
    return f"{_PREFIXES[kind]} {uid or uuid4()}"


def find_change_set(entry: AuditEntry) -> ChangeSet | None:
    """Return the change set of an entry; None for what no user did, or not by a page, the API or an operation."""
    if entry.action not in WRITES or entry.record_uid is None:
        return None
    return read_reference(entry.reference) if entry.reference else _build_single(entry)


def read_reference(reference: str) -> ChangeSet | None:
    """Return the change set of a reference; None if it is that of another thing, such as a job run."""
    prefix, _, key = reference.rpartition(" ")
    kind = next((kind for kind, each in _PREFIXES.items() if each == prefix), "")
    return ChangeSet.read(kind=kind, key=key)


def _build_single(entry: AuditEntry) -> ChangeSet | None:
    return ChangeSet(kind=ENTRY, key=str(entry.pk)) if entry.source in ("page", "api") else None
