"""What happened to records since a place, for one reader: from the entries about each, oldest first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db.models import TextChoices
from django.db.models.constants import LOOKUP_SEP

from ctms.audit.chain import REDACTED
from ctms.audit.choices import AuditAction
from ctms.configuration.scope import find_study_path
from ctms.records.api.changes.sight import OBJECT_TYPE

if TYPE_CHECKING:
    from ctms.audit.models import AuditEntry
    from ctms.records.api.changes.sight import Sight


# After these actions a record that does not move is seen as much as before.
_STAYING = (AuditAction.CREATED, AuditAction.CHANGED)


class Change(TextChoices):
    """What is told of a record. The last two come without the record."""

    PRESENT = "present", "is there; told where all records are"
    CREATED = "created", "was created, or brought back after it was deleted"
    CHANGED = "changed", "was changed"
    CAME_INTO_SIGHT = "came_into_sight", "was there before, and you may see it only now"
    DELETED = "deleted", "was deleted"
    WENT_OUT_OF_SIGHT = "went_out_of_sight", "is not seen by you any more"


class UnknownSightError(Exception):
    """The entries do not tell whether the reader saw a record that the reader does not see now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The entries about one record. `object_type` is that of the record now; None if it is gone, or not known."""

    sight: Sight
    entries: Sequence[AuditEntry]
    object_type: str | None

    @property
    def last(self) -> AuditEntry | None:
        return self.entries[-1] if self.entries else None

    def tell_present(self) -> Change:
        """Return what happened to a record that the reader sees now."""
        if not self.entries:
            return Change.CAME_INTO_SIGHT
        first = self.entries[0]
        if first.action in (AuditAction.CREATED, AuditAction.RESTORED):
            return Change.CREATED
        if self._moves(first) and next(self._judge()) is False:
            return Change.CAME_INTO_SIGHT
        return Change.CHANGED

    def tell_gone(self) -> Change | None:
        """Return what happened to a record that the reader does not see now; None if the reader never saw it.

        Raises UnknownSightError.
        """
        if all(
            each.action in (AuditAction.CREATED, AuditAction.CHANGED) and not self._moves(each) for each in self.entries
        ):
            return None  # seen as little as now
        judged = list(self._judge())
        if True in judged:
            was_seen_last = self.entries[-1].action == AuditAction.DELETED and judged[-2] is True
            return Change.DELETED if was_seen_last else Change.WENT_OUT_OF_SIGHT
        if None in judged:
            raise UnknownSightError
        return None

    def _judge(self) -> Iterator[bool | None]:
        """Yield whether the reader saw the record before and after each entry; None if that is not known."""
        types = self._list_types()
        for entry, (before, after) in zip(self.entries, types, strict=True):
            is_new = entry.action in (AuditAction.CREATED, AuditAction.RESTORED)
            is_gone = entry.action == AuditAction.DELETED
            yield not is_new and self.sight.covers(study=self._read_study_before(entry), object_type=before)
            yield not is_gone and self.sight.covers(study=entry.study_uid, object_type=after)

    def _list_types(self) -> list[tuple[str | None, str | None]]:
        """Return the object types before and after each entry; None where it is not known, or there is no record."""
        found: list[tuple[str | None, str | None]] = []
        after = self.object_type
        for entry in reversed(self.entries):
            before = _read_before(entry, OBJECT_TYPE, default=after)
            found.insert(0, (before, after))
            after = before
        return found

    def _read_study_before(self, entry: AuditEntry) -> UUID | None:
        """Return the study of the record before it was changed or deleted; None if it had none, or it is not known."""
        path = find_study_path(self.sight.vault_object.model)
        if entry.action != AuditAction.CHANGED:
            return entry.study_uid
        if REDACTED in entry.changes:
            return None
        if path.partition(LOOKUP_SEP)[0] not in entry.changes:
            return entry.study_uid
        # Where a record hangs on another, such as a visit, the study of the one that it hung on is not known.
        uid = entry.words.get(path, {}).get("before_uid", "")
        return UUID(uid) if uid else None

    def _moves(self, entry: AuditEntry) -> bool:
        """Whether an entry may have brought a record into sight, or out of it, that was there before and after."""
        stays = REDACTED not in entry.changes and self.sight.moving_fields.isdisjoint(entry.changes)
        return entry.action == AuditAction.CHANGED and not stays


def _read_before(entry: AuditEntry, name: str, *, default: Any) -> Any:
    """Return the value of a field before an entry; `default` if it is the same; None if it is not known."""
    if REDACTED in entry.changes:
        return None
    if entry.action in (AuditAction.DELETED, AuditAction.CHANGED) and name in entry.changes:
        return entry.changes[name][0]
    return default if entry.action == AuditAction.CHANGED else None
