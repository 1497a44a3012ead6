"""The timeline of a record: its audit entries, with the labels and values of its page."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.text import Truncator

from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.values import format_value

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
    """Who did what to the record, when (UTC), and by which `way`, such as the API; empty for a page."""

    actor: str
    what: str
    at: dt.datetime
    way: str
    reason: str
    icon: str
    changes: list[TimelineChange]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """Entries, newest first. `older` is the `before` of the next older ones; None if there are none."""

    entries: list[TimelineEntry]
    older: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    field: ObjectField
    before: Any
    after: Any


def read_timeline(
    *, access: ObjectAccess, record: Any, before: int | None = None, size: int = ENTRIES_SHOWN
) -> Timeline:
    """Return the record's entries; only those older than the entry of id `before`, if given.

    Shows only fields of the record's type. Runs one statement, and one more for each model referred to.
    """
    entries = AuditEntry.objects.filter(object_name=record.object_name, record_uid=record.uid).order_by("-id")
    if before is not None:
        entries = entries.filter(id__lt=before)
    found = list(entries[: size + 1])
    shown = found[:size]
    changes = {entry.pk: list(_list_changes(access=access, record=record, entry=entry)) for entry in shown}
    names = _Names(access=access)
    names.load(change for listed in changes.values() for change in listed)
    return Timeline(
        entries=[_build_entry(entry=entry, changes=changes[entry.pk], names=names) for entry in shown],
        older=shown[-1].pk if len(found) > size else None,
    )


def _list_changes(*, access: ObjectAccess, record: Any, entry: AuditEntry) -> Iterator[_Change]:
    """Yield the changes of fields of the record's type; none for other actions, such as the creation."""
    if entry.action != AuditAction.CHANGED:
        return
    for each in access.shape.list_type_fields(getattr(record, "object_type", "")):
        if each.is_custom:
            pair = entry.changes.get("custom_fields") or (None, None)
            before, after = ((values or {}).get(each.api_name) for values in pair)
        else:
            before, after = entry.changes.get(each.attribute) or (None, None)
        if before != after:
            yield _Change(field=each, before=before, after=after)


def _build_entry(*, entry: AuditEntry, changes: list[_Change], names: _Names) -> TimelineEntry:
    told = [
        TimelineChange(
            label=change.field.label,
            before=names.show(value=change.before, field=change.field),
            after=names.show(value=change.after, field=change.field),
        )
        for change in changes
    ]
    is_event = entry.action == AuditAction.EVENT
    return TimelineEntry(
        actor=entry.actor_name,
        what=entry.reason if is_event and entry.reason else _describe(entry=entry, changes=told),
        at=entry.at,
        way=_WAYS.get(entry.source, ""),
        reason="" if is_event else entry.reason,
        icon=_ICONS.get(entry.action, "info"),
        changes=told,
    )


def _describe(*, entry: AuditEntry, changes: list[TimelineChange]) -> str:
    if entry.action == AuditAction.CREATED:
        return "created this record"
    if entry.action != AuditAction.CHANGED:
        return entry.get_action_display().lower()
    if not changes:
        return "changed what is not on this page"
    return f"changed {changes[0].label}" if len(changes) == 1 else f"changed {len(changes)} fields"


@dataclass(slots=True, kw_only=True)
class _Names:
    """Formats old and new values with present names; loads all records that they refer to at once."""

    access: ObjectAccess
    names: dict[tuple[type[models.Model], str], str] = field(default_factory=dict)

    def load(self, changes: Iterable[_Change]) -> None:
        wanted: dict[tuple[type[models.Model], str], set[str]] = {}
        for change in changes:
            if change.field.reference is not None:
                keys = {str(value) for value in (change.before, change.after) if value}
                wanted.setdefault((change.field.reference, _get_key(change.field)), set()).update(keys)
        for (model, key), values in wanted.items():
            for row in self._list_visible(model).filter(**{f"{key}__in": _list_readable(values, key=key)}):
                self.names[model, str(getattr(row, key))] = str(row)

    def show(self, *, value: Any, field: ObjectField) -> str:
        if value in (None, ""):
            return ""
        if field.reference is not None:
            return self.names.get((field.reference, str(value)), _GONE)
        text = format_value(value=_read_value(value=value, kind=field.kind), field=field, shape=self.access.shape)
        return Truncator(text).chars(_LONGEST_VALUE)

    def _list_visible(self, model: type[models.Model]) -> models.QuerySet[Any]:
        """Return the records of a model whose names the user may see; for users and setup objects these are all."""
        target = get_object_of_model(model)
        if target is None or target.is_setup:
            return model._base_manager.all()
        opened = open_related(access=self.access, object_name=target.api_name)
        return opened.list_records() if opened else model._base_manager.none()


def _get_key(field: ObjectField) -> str:
    """Return what the audit trail stores of a reference: the primary key, or for a custom field the uid."""
    return "uid" if field.is_custom else "pk"


def _list_readable(values: set[str], *, key: str) -> list[Any]:
    read: Any = UUID if key == "uid" else int
    found = []
    for value in values:
        try:
            found.append(read(value))
        except ValueError:
            continue  # stored when the field had another kind
    return found


_READERS: Mapping[FieldKind, Any] = {
    FieldKind.DATE: dt.date.fromisoformat,
    FieldKind.DATETIME: dt.datetime.fromisoformat,
}


def _read_value(*, value: Any, kind: FieldKind) -> Any:
    """Convert a value stored as JSON to the field's type; unchanged if it was stored by a field of another kind."""
    read = _READERS.get(kind)
    if read is None or not isinstance(value, str):
        return value
    try:
        return read(value)
    except ValueError:
        return value
