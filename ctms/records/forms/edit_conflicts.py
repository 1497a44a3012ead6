"""Resolves conflicts of two users who save the same record: shows both versions and merges the choices.

The version that a user's form was filled from is rebuilt from the audit trail, to tell who changed which field.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Model
from django.http import QueryDict

from ctms.audit.chain import REDACTED
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.configuration.fields import ObjectField
from ctms.records.fields.kinds.base import kind_of
from ctms.records.fields.reference_field import ReferenceField
from ctms.records.fields.values import format_for, read_value
from ctms.records.forms.form_state import FormState

YOURS, THEIRS = "yours", "theirs"
_CHOICE = "choose__"
# Fields of the form itself, not input.
_NOT_TYPED = ("csrfmiddlewaretoken", "expected_version", "resolve")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictRow:
    """A field that differs. `choice` is the version preselected for the user; empty if both users changed the field."""

    name: str
    label: str
    yours: str
    theirs: str
    choice: str
    problem: str = ""

    @property
    def parameter(self) -> str:
        return f"{_CHOICE}{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Another user saved the record after the user opened it. `record` holds the values that are stored now."""

    record: Any
    by: str
    at: dt.datetime
    rows: list[ConflictRow]
    typed: list[tuple[str, str]]

    @property
    def focus(self) -> str:
        """The name of the first field for which the user has to choose a version; empty if there is none."""
        return next((row.name for row in self.rows if row.choice not in (YOURS, THEIRS)), "")

    @property
    def is_undecided(self) -> bool:
        """Whether the user still has to choose a version for a field."""
        return bool(self.focus)


def build_conflict(*, state: FormState, data: QueryDict, version: int) -> Conflict:
    """Compare what was typed into a form of `version` of a record with the record as it is now.

    If the user has chosen already (`resolve` in the data), rows hold these choices; a row without one asks again.
    """
    is_resolving = "resolve" in data
    record = state.layout.record
    base = _read_earlier(record=record, version=version)
    state.is_valid()
    writable = [each for each in state.layout.writable if each.api_name in state.cleaned_data]
    rows = []
    for each in writable:
        yours = state.cleaned_data[each.api_name]
        mine = _get_key(value=yours, field=each)
        theirs, before = (_get_key(value=_read(each_record, each), field=each) for each_record in (record, base))
        if mine == theirs:
            continue
        choice = _decide(mine=mine, theirs=theirs, before=before)
        if is_resolving:
            # A choice does not count if the other value was changed again since.
            choice = data.get(f"{_CHOICE}{each.api_name}", "") if theirs == before else ""
        rows.append(
            ConflictRow(
                name=each.api_name,
                label=each.label,
                yours=_show(state=state, field=each, value=yours),
                theirs=_show(state=state, field=each, value=_read_stored(state=state, field=each)),
                choice=choice,
                problem="Choose one of the two." if is_resolving and not choice else "",
            )
        )
    return Conflict(
        record=record, by=str(record.modified_by), at=record.modified_at, rows=rows, typed=list(_list_typed(data))
    )


def merge_choices(*, state: FormState, data: QueryDict) -> QueryDict:
    """Return the typed data, with the stored value in each field where the user chose the other version."""
    merged = data.copy()
    for name in state.fields:
        if data.get(f"{_CHOICE}{name}") != THEIRS:
            continue
        for part in (name, f"{name}__text", f"{name}__shown"):
            merged.pop(part, None)
        text = state.write_entry(name)
        if text:
            merged[name] = text
    return merged


def _decide(*, mine: Any, theirs: Any, before: Any) -> str:
    if theirs == before:
        return YOURS
    return THEIRS if mine == before else ""


def _read_earlier(*, record: Any, version: int) -> Any:
    """Return the record as it was in an earlier version, by undoing every later change of the audit trail."""
    earlier = copy.copy(record)
    later = AuditEntry.objects.filter(
        object_name=record.object_name, record_uid=record.uid, action=AuditAction.CHANGED
    ).order_by("-id")[: max(0, record.version - version)]
    for entry in later:
        for name, (before, _after) in entry.changes.items():
            if name == REDACTED:  # what changed is not known any more: the present values count
                continue
            model_field = record._meta.get_field(name)
            setattr(earlier, model_field.attname, model_field.to_python(before))
    return earlier


def _read_stored(*, state: FormState, field: ObjectField) -> Any:
    value = read_value(record=state.layout.record, field=field)
    form_field = state.fields[field.api_name]
    # A custom reference is stored as a uid.
    return form_field.find_shown(value) if isinstance(form_field, ReferenceField) and field.is_custom else value


def _show(*, state: FormState, field: ObjectField, value: Any) -> str:
    form_field = state.fields[field.api_name]
    if isinstance(form_field, ReferenceField) and field.is_custom and isinstance(value, Model):
        return form_field.describe(value)
    return format_for(access=state.layout.access, value=value, field=field)


def _read(record: Any, field: ObjectField) -> Any:
    if field.reference is not None and not field.is_custom:
        # The record that the earlier version referred to may be deleted.
        return getattr(record, record._meta.get_field(field.attribute).attname)
    return read_value(record=record, field=field)


def _get_key(*, value: Any, field: ObjectField) -> Any:
    """Return a key for a value of a form or a record; keys are equal if the values mean the same."""
    kind = kind_of(field)
    return kind.get_key(kind.trim(value), field=field)


def _list_typed(data: QueryDict) -> Iterator[tuple[str, str]]:
    for name, texts in data.lists():
        if name not in _NOT_TYPED and not name.startswith(_CHOICE):
            for text in texts:
                yield name, text
