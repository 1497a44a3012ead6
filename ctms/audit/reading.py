"""Entries as a user may read them: in words, without the names of records that the user does not see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from uuid import UUID

from django.apps import apps
from django.db.models import QuerySet
from django.utils.text import capfirst

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.selectors import find_last_name, list_seen_uids
from ctms.audit.words import ToldChange, tell_changes

HIDDEN = "(not visible to you)"
_CHUNK = 500


@cache
def list_objects() -> dict[str, str]:
    """Return API name → labels of everything that the trail has entries about."""
    labels: dict[str, list[str]] = {
        "accounts.user": ["User"],
        "admin:audit": ["Audit trail"],
        "records.api_token": ["API token"],
        "records.calendar_feed": ["Calendar feed"],
    }
    for model in apps.get_models():
        name = getattr(model, "object_name", None)
        if isinstance(name, str) and name and not model._meta.proxy:
            labels.setdefault(name, []).append(str(capfirst(str(model._meta.verbose_name))))
    return {name: ", ".join(found) for name, found in sorted(labels.items(), key=lambda item: item[1])}


def get_object_label(entry: AuditEntry) -> str:
    """Return what the object of an entry was called then; entries that name no record have today's word."""
    return entry.object_label or list_objects().get(entry.object_name, entry.object_name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldEntry:
    """An entry with its changes, and the names of its study and connection; empty if it has none."""

    entry: AuditEntry
    changes: list[ToldChange]
    study: str = ""
    connection: str = ""

    @property
    def object_label(self) -> str:
        return get_object_label(self.entry)


@dataclass(slots=True, kw_only=True)
class EntryReader:
    """Reads entries for one user. Keeps the names of studies and connections, which are few."""

    user: User
    names: dict[UUID, str] = field(default_factory=dict)

    def iterate(self, entries: QuerySet[AuditEntry]) -> Iterator[ToldEntry]:
        """Yield the entries, which are read from the database in chunks."""
        chunk: list[AuditEntry] = []
        for entry in entries.iterator(chunk_size=_CHUNK):
            chunk.append(entry)
            if len(chunk) == _CHUNK:
                yield from self.read(chunk)
                chunk = []
        yield from self.read(chunk)

    def read(self, entries: Iterable[AuditEntry]) -> list[ToldEntry]:
        """Return these entries. Takes one statement or two for all names, and two for each new study or connection."""
        told = [(entry, tell_changes(changes=entry.changes, words=entry.words)) for entry in entries]
        uids = {uid for _, changes in told for each in changes for uid in (each.before_uid, each.after_uid) if uid}
        seen = list_seen_uids(uids=uids, user=self.user)
        return [
            ToldEntry(
                entry=entry,
                changes=[_hide(each, seen) for each in changes],
                study=self._name(entry.study_uid),
                connection=self._name(entry.connection_uid),
            )
            for entry, changes in told
        ]

    def _name(self, uid: UUID | None) -> str:
        if uid is None:
            return ""
        if uid not in self.names:
            seen = list_seen_uids(uids={uid}, user=self.user)
            self.names[uid] = find_last_name(uid) if seen else HIDDEN
        return self.names[uid]


def _hide(change: ToldChange, seen: set[UUID]) -> ToldChange:
    """Return a change without the names of records that are not among `seen`."""
    return replace(
        change,
        before=HIDDEN if change.before_uid and change.before_uid not in seen else change.before,
        after=HIDDEN if change.after_uid and change.after_uid not in seen else change.after,
    )
