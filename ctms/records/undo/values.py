"""Turns values that the audit trail stores into values that can be written again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import models
from django.utils.text import capfirst

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.values import read_values
from ctms.audit.words import CUSTOM_FIELDS
from ctms.configuration.fields import OBJECT_TYPE, ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import ObjectShape
from ctms.core.clock import get_now
from ctms.records.access import ObjectAccess
from ctms.records.fields.references import list_visible
from ctms.records.fields.values import fits_kind, read_value
from ctms.records.undo.history import RecordHistory

_GONE = "What stood here is deleted, or not visible to you."
_OTHER_KIND = "This field held values of another kind then. Enter a new value by hand."


@dataclass(frozen=True, slots=True, kw_only=True)
class PastValue:
    """The value of a field before a change, in its Python type; `loss` says why it cannot be had any more."""

    key: str
    field: ObjectField
    value: Any
    loss: str = ""


def list_keyed(shape: ObjectShape) -> dict[str, ObjectField]:
    """Return the fields of an object by the names that the audit trail has for them."""
    return {each.api_name if each.is_custom else each.attribute: each for each in shape.fields.values()}


@dataclass(kw_only=True)
class PastValues:
    """Values before a change, for records of one object; looks references up for many records at once.

    `restored` are records by key that do not exist yet, but will before those that refer to them are written.
    """

    access: ObjectAccess
    restored: Mapping[int, Any] = field(default_factory=dict)
    fields: dict[str, ObjectField] = field(init=False)
    _found: dict[tuple[str, Any], Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self.fields = list_keyed(self.access.shape)

    def load(self, histories: Sequence[RecordHistory]) -> None:
        """Look up what the references led to before, in one statement for each field."""
        wanted: dict[str, set[Any]] = {}
        for history in histories:
            for name, value in history.list_before().items():
                if self._get_target(name) is not None and value not in (None, "") and self._fits(name, value):
                    wanted.setdefault(name, set()).add(self._read_key(history=history, name=name, value=value))
        for name, keys in wanted.items():
            records = self._list_targets(name)
            if records is None:
                continue
            uids = [key for key in keys if isinstance(key, UUID)]
            pks = [key for key in keys if not isinstance(key, UUID)]
            for record in records.filter(
                models.Q(pk__in=pks) | models.Q(**{"uid__in": uids} if uids else {"pk__in": ()})
            ):
                self._found[name, record.pk] = record
                self._found[name, getattr(record, "uid", None)] = record

    def list_differing(self, *, record: Any, history: RecordHistory) -> list[PastValue]:
        """Return the values before of the fields that users fill and that are not as they were before."""
        present = read_values(record)
        custom = present.get(CUSTOM_FIELDS) or {}
        differing = []
        for name, stored in history.list_before().items():
            each = self.fields.get(name)
            if each is None or (each.is_read_only and each.api_name != OBJECT_TYPE):
                continue
            past = self.read(history=history, field=each, name=name, stored=stored)
            if each.is_custom:
                is_same = _is_same(custom.get(name), stored)
            elif each.reference is not None:
                is_same = not past.loss and present.get(name) == getattr(past.value, "pk", None)
            else:
                is_same = present.get(name) == record._meta.get_field(name).to_python(stored)
            if not is_same:
                differing.append(past)
        return differing

    def list_unused(self, *, record: Any, history: RecordHistory) -> list[str]:
        """Return the labels of custom fields that are not as they were before and are Inactive or gone by now."""
        present = record.custom_fields or {}
        others = self.fields.keys() | {each.name for each in record._meta.concrete_fields}
        return [
            history.get_label(name)
            for name, stored in history.list_before().items()
            if name not in others and not _is_same(present.get(name), stored)
        ]

    def read(self, *, history: RecordHistory, field: ObjectField, name: str, stored: Any) -> PastValue:
        """Return a stored value in the Python type of its field."""
        if stored in (None, ""):
            empty = None if field.is_custom or field.reference is not None else stored
            return PastValue(key=name, field=field, value=empty)
        if field.is_custom and not fits_kind(stored=stored, field=field):
            return PastValue(key=name, field=field, value=None, loss=_OTHER_KIND)
        if field.reference is not None:
            found = self.find(history=history, name=name, stored=stored)
            return PastValue(key=name, field=field, value=found, loss="" if found is not None else _GONE)
        model: Any = self.access.vault_object.model
        if not field.is_custom:
            return PastValue(key=name, field=field, value=model._meta.get_field(field.attribute).to_python(stored))
        holder = model()
        holder.custom_fields = {field.api_name: stored}
        return PastValue(key=name, field=field, value=read_value(record=holder, field=field))

    def find(self, *, history: RecordHistory, name: str, stored: Any) -> Any:
        """Return the record that a stored reference led to; None if it is deleted or the user may not see it."""
        key = self._read_key(history=history, name=name, value=stored)
        if (name, key) in self._found:
            return self._found[name, key]
        if isinstance(stored, int):
            return self.restored.get(stored)
        return next((each for each in self.restored.values() if each.uid == key), None)

    def _fits(self, name: str, value: Any) -> bool:
        each = self.fields.get(name)
        return each is None or not each.is_custom or fits_kind(stored=value, field=each)

    def _read_key(self, *, history: RecordHistory, name: str, value: Any) -> Any:
        """Return the uid, which a record keeps when it is restored; the database key of what has none in the trail."""
        if name in self.fields and self.fields[name].is_custom:
            return UUID(str(value))
        return history.get_uid_before(name) or value

    def _get_target(self, name: str) -> type[models.Model] | None:
        """Return the model that a reference leads to; None for other fields."""
        if name in self.fields:
            return self.fields[name].reference
        model = self.access.vault_object.model
        found = {each.name: each for each in model._meta.concrete_fields}.get(name)
        return found.related_model if isinstance(found, models.ForeignKey) else None

    def _list_targets(self, name: str) -> models.QuerySet[Any] | None:
        model = self._get_target(name)
        target = get_object_of_model(model) if model is not None else None
        if model is not None and (target is None or target.is_setup):
            return model._base_manager.all()
        return list_visible(access=self.access, field=self.fields[name])


def drop_unfit_values(*, record: Any, access: ObjectAccess) -> list[str]:
    """Take values of fields that are gone, or have another kind now, out of a record; return the fields' names."""
    values = getattr(record, CUSTOM_FIELDS, None) or {}
    fields = {each.api_name: each for each in access.configuration.list_custom_fields(access.shape.api_name) if values}
    fitting = {
        name: stored
        for name, stored in values.items()
        if name in fields and fits_kind(stored=stored, field=fields[name])
    }
    if values != fitting:
        record.custom_fields = fitting
    return sorted(values.keys() - fitting)


def build_past_record(
    *, past: PastValues, history: RecordHistory, key: int | None, birth: AuditEntry | None, by: User
) -> tuple[Any, list[str]]:
    """Build a deleted record as it was, with its uid; return it with the labels of references that cannot be had.

    `key` is the database key that it gets back, `birth` the entry of its creation.
    """
    model = past.access.vault_object.model
    record: Any = model()
    values = history.list_values()
    lost: list[str] = []
    for each in model._meta.concrete_fields:
        if each.name in record.bookkeeping_fields:
            continue
        stored = values.get(each.name)
        if isinstance(each, models.ForeignKey):
            found = past.find(history=history, name=each.name, stored=stored) if stored is not None else None
            if stored is not None and found is None:
                lost.append(str(capfirst(each.verbose_name)))
            setattr(record, each.name, found) if found is not None else setattr(record, each.attname, None)
        elif stored is not None:
            setattr(record, each.attname, each.to_python(stored))
        else:
            setattr(record, each.attname, None if each.null else _get_empty(each))
    record.pk, record.uid = key, history.unit.uid
    if record.custom_fields:
        record.custom_fields, lost_custom = _take_custom(past=past, history=history, stored=record.custom_fields)
        lost += lost_custom
    if not lost:
        record.prepare_for_save()
    record.created_at = birth.at if birth is not None else get_now()
    record.created_by = birth.actor if birth is not None and birth.actor is not None else by
    return record, lost


def _take_custom(
    *, past: PastValues, history: RecordHistory, stored: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str]]:
    """Return the stored values of custom fields that still exist, and the labels of references that cannot be had."""
    custom = {name: each for name, each in past.fields.items() if each.is_custom}
    known = {each.api_name for each in past.access.configuration.list_custom_fields(past.access.shape.api_name)}
    lost = [
        each.label
        for name, each in custom.items()
        if each.reference is not None
        and stored.get(name)
        and str(stored[name]) != str(history.unit.uid)
        and past.find(history=history, name=name, stored=stored[name]) is None
    ]
    return {name: value for name, value in stored.items() if name in known}, lost


def _is_same(one: Any, other: Any) -> bool:
    """Whether two stored values of a custom field are the same; empty ones are."""
    return bool(one == other) or (one in (None, "") and other in (None, ""))


def _get_empty(model_field: models.Field[Any, Any]) -> Any:
    return "" if isinstance(model_field, (models.CharField, models.TextField)) else model_field.get_default()
