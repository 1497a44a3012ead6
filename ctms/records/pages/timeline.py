"""The timeline of a record: its audit entries, with labels, values and names as they were then.

A name is told if the reader sees the record that bore it, or saw it before it was deleted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.text import Truncator

from ctms.accounts.policies import has_permission
from ctms.audit.admin.writing import build_audit_trail_url
from ctms.audit.change_sets import find_change_set
from ctms.audit.choices import AUDIT_PERMISSION, AuditAction
from ctms.audit.models import AuditEntry
from ctms.audit.selectors import list_seen_deletions
from ctms.audit.words import ToldChange, tell_changes
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.records.access import ObjectAccess, open_related
from ctms.records.undo.offers import get_undo_url

ENTRIES_SHOWN = 15
_LONGEST_VALUE = 240
_GONE = "(deleted, or not visible to you)"
_WAYS = {
    "admin": "in the admin console",
    "api": "over the API",
    "import": "in an import",
    "job": "by a job",
    "command": "by a command",
}
_ICONS: Mapping[str, str] = {AuditAction.CREATED: "plus", AuditAction.CHANGED: "edit"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineChange:
    """A field's value before and after a change; empty if there was none."""

    label: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEntry:
    """Who did what to the record, when (UTC), and by which `way`, such as the API; empty for a page.

    `undo_url` is empty for what was no change by a user, and if this user may not change the record.
    """

    actor: str
    what: str
    at: dt.datetime
    way: str
    reason: str
    icon: str
    changes: list[TimelineChange]
    undo_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Entries, newest first. `older` is the `before` of the next older ones; None if there are none.

    `trail_url` leads to the record's entries in the console, for who may read the audit trail there.
    """

    entries: list[TimelineEntry]
    older: int | None
    trail_url: str


def read_timeline(
    *, access: ObjectAccess, record: Any, before: int | None = None, size: int = ENTRIES_SHOWN
) -> Timeline:
    """Return the record's entries; only those older than the entry of id `before`, if given.

    Shows only fields of the record's type. Runs one statement, one more for each model referred to, and one if any of
    what is referred to was deleted.
    """
    entries = AuditEntry.objects.filter(object_name=record.object_name, record_uid=record.uid).order_by("-id")
    if before is not None:
        entries = entries.filter(id__lt=before)
    found = list(entries[: size + 1])
    shown = found[:size]
    fields = {
        each.api_name if each.is_custom else each.attribute: each
        for each in access.shape.list_type_fields(getattr(record, "object_type", ""))
    }
    changes = {entry.pk: _list_changes(entry=entry, fields=fields) for entry in shown}
    names = _Names(access=access, fields=fields)
    may_undo = not access.explain_edit(record)
    names.load(change for listed in changes.values() for change in listed)
    return Timeline(
        entries=[
            _build_entry(
                entry=entry,
                changes=[names.tell(each) for each in changes[entry.pk]],
                undo_url=_find_undo_url(entry) if may_undo else "",
            )
            for entry in shown
        ],
        older=shown[-1].pk if len(found) > size else None,
        trail_url=build_audit_trail_url(record) if _may_read_trail(access) else "",
    )


def _may_read_trail(access: ObjectAccess) -> bool:
    return access.user.is_staff and has_permission(user=access.user, permission=AUDIT_PERMISSION)


def _list_changes(*, entry: AuditEntry, fields: Mapping[str, ObjectField]) -> list[ToldChange]:
    """Return the changes of these fields in their order; none for other actions, such as the creation."""
    if entry.action != AuditAction.CHANGED:
        return []
    told = {each.name: each for each in tell_changes(changes=entry.changes, words=entry.words)}
    return [told[name] for name in fields if name in told and told[name].before != told[name].after]


def _find_undo_url(entry: AuditEntry) -> str:
    change_set = find_change_set(entry)
    return get_undo_url(change_set) if change_set is not None else ""


def _build_entry(*, entry: AuditEntry, changes: list[TimelineChange], undo_url: str) -> TimelineEntry:
    is_event = entry.action == AuditAction.EVENT
    return TimelineEntry(
        actor=entry.actor_name,
        what=entry.reason if is_event and entry.reason else _describe(entry=entry, changes=changes),
        at=entry.at,
        way=_WAYS.get(entry.source, ""),
        reason="" if is_event else entry.reason,
        icon=_ICONS.get(entry.action, "info"),
        changes=changes,
        undo_url=undo_url,
    )


def _describe(*, entry: AuditEntry, changes: list[TimelineChange]) -> str:
    if entry.action == AuditAction.CREATED:
        return "created this record"
    if entry.action == AuditAction.RESTORED:
        return "brought this record back"
    if entry.action != AuditAction.CHANGED:
        return entry.get_action_display().lower()
    if not changes:
        return "changed what is not on this page"
    return f"changed {changes[0].label}" if len(changes) == 1 else f"changed {len(changes)} fields"


@dataclass(slots=True, kw_only=True)
class _Names:
    """Tells changes, with the names of those records alone that the reader may know of."""

    access: ObjectAccess
    fields: Mapping[str, ObjectField]
    known: set[tuple[type[models.Model], UUID]] = field(default_factory=set)

    def load(self, changes: Iterable[ToldChange]) -> None:
        """Find out, for all changes at once, which of the records referred to the reader sees, or saw."""
        wanted: dict[type[models.Model], set[UUID]] = {}
        for change in changes:
            reference = self.fields[change.name].reference
            if reference is not None:
                uids = {uid for uid in (change.before_uid, change.after_uid) if uid is not None}
                wanted.setdefault(reference, set()).update(uids)
        unseen: set[UUID] = set()
        for model, uids in wanted.items():
            seen = set(self._list_visible(model).filter(uid__in=uids).values_list("uid", flat=True)) if uids else set()
            self.known |= {(model, uid) for uid in seen}
            unseen |= uids - seen
        if unseen:
            deleted = list_seen_deletions(uids=unseen, user=self.access.user)
            self.known |= {(model, uid) for model, uids in wanted.items() for uid in uids & deleted}

    def tell(self, change: ToldChange) -> TimelineChange:
        reference = self.fields[change.name].reference
        before, after = change.before, change.after
        if reference is not None:
            before = self._name(before, reference=reference, uid=change.before_uid)
            after = self._name(after, reference=reference, uid=change.after_uid)
        return TimelineChange(
            label=change.label,
            before=Truncator(before).chars(_LONGEST_VALUE),
            after=Truncator(after).chars(_LONGEST_VALUE),
        )

    def _name(self, name: str, *, reference: type[models.Model], uid: UUID | None) -> str:
        if not name or (uid is not None and (reference, uid) in self.known):
            return name
        return _GONE

    def _list_visible(self, model: type[models.Model]) -> models.QuerySet[Any]:
        """Return the records of a model whose names the user may see; for users and setup objects these are all."""
        target = get_object_of_model(model)
        if target is None or target.is_setup:
            return model._base_manager.all()
        opened = open_related(access=self.access, object_name=target.api_name)
        return opened.list_records() if opened else model._base_manager.none()
