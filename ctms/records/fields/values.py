"""Reads, assigns and formats values of records, for standard and custom fields alike."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Model, QuerySet

from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import ObjectShape
from ctms.core.choices import RecordStatus
from ctms.core.models import VaultRecord
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import get_record_url
from ctms.records.fields.kinds.base import EMPTY, kind_of
from ctms.records.fields.references import HIDDEN, can_name, can_name_record, get_target
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.titles import mention_record

# Badges of the fields that every object has.
_STATUS = {RecordStatus.ACTIVE: ("neutral", "Active"), RecordStatus.INACTIVE: ("quiet", "Inactive")}
_BADGES: Mapping[str, Callable[[Any], tuple[str, str]]] = {"status__v": lambda record: _STATUS[record.status]}


def read_value(*, record: Any, field: ObjectField) -> Any:
    """Return the value of a field in its Python type; for a custom reference, the uid."""
    if not field.is_custom:
        # Django raises an AttributeError for a required reference that a new record does not have yet.
        return getattr(record, field.attribute, None)
    stored = (record.custom_fields or {}).get(field.api_name)
    if stored in (None, ""):
        return None
    return kind_of(field).read(stored)


def fits_kind(*, stored: Any, field: ObjectField) -> bool:
    """Whether JSON that a custom field of this name held at another time is a value of the field's present kind."""
    kind = kind_of(field)
    try:
        return _name_json_type(kind.store(kind.read(stored))) == _name_json_type(stored)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError):
        return False


def _name_json_type(stored: Any) -> str:
    is_number = isinstance(stored, int | float) and not isinstance(stored, bool)
    return "number" if is_number else type(stored).__name__


def assign_value(*, record: Any, field: ObjectField, value: Any) -> None:
    """Set a field to a value of its Python type (a record, for a reference) without saving the record."""
    if not field.is_custom:
        setattr(record, field.attribute, kind_of(field).empty if value is None else value)
        return
    values = dict(record.custom_fields or {})
    if value in EMPTY:
        values.pop(field.api_name, None)
    else:
        values[field.api_name] = kind_of(field).store(value)
    record.custom_fields = values


def select_references(*, records: QuerySet[Any], fields: Iterable[ObjectField]) -> QuerySet[Any]:
    """Select the records that the fields refer to in the same statement."""
    attributes = [each.attribute for each in fields if each.reference is not None and not each.is_custom]
    return records.select_related(*attributes) if attributes else records


@dataclass(slots=True, kw_only=True)
class ValueReader:
    """Shows values of records of one object to one user. Loads records in custom fields once for all records."""

    access: ObjectAccess
    people: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, ObjectAccess | None] = field(default_factory=dict)
    named: dict[tuple[type[Model], str], bool] = field(default_factory=dict)
    texts: dict[tuple[str, Any], str] = field(default_factory=dict)
    showers: dict[str, FieldShower] = field(default_factory=dict)

    @property
    def shape(self) -> ObjectShape:
        return self.access.shape

    def load(self, *, records: Sequence[Any], fields: Iterable[ObjectField]) -> ValueReader:
        """Load what the custom references of the records refer to, if the user sees it: a statement for each model."""
        wanted: dict[type[Model], set[str]] = {}
        for each in fields:
            if each.is_custom and each.reference is not None:
                uids = {uid for record in records if (uid := (record.custom_fields or {}).get(each.api_name))}
                wanted.setdefault(each.reference, set()).update(uids.difference(self.people))
        for model, uids in wanted.items():
            target = get_object_of_model(model)
            opened = open_related(access=self.access, object_name=target.api_name) if target and uids else None
            found = opened.list_records().filter(uid__in=uids) if opened else ()
            self.people |= {str(person.uid): person for person in found if isinstance(person, VaultRecord)}
        return self

    def show(self, *, record: Any, field: ObjectField) -> ShownValue:
        """Return a value of a record as the user may see it."""
        shower = self.get_shower(field)
        return shower.show(record, shower.read(record))

    def get_shower(self, field: ObjectField) -> FieldShower:
        """Return what shows the values of one field, for many records."""
        if field.api_name not in self.showers:
            self.showers[field.api_name] = FieldShower(reader=self, field=field)
        return self.showers[field.api_name]

    def depends_on_record(self, field: ObjectField) -> bool:
        """Whether two records may show the same value differently: a badge may depend on other fields."""
        return field.api_name in self.shape.vault_object.badges

    def may_name(self, value: Any) -> bool:
        """Whether the user may see the value: False for a record that the profile hides."""
        if not isinstance(value, Model):
            return True
        key = (type(value), getattr(value, "object_type", ""))
        if key not in self.named:
            self.named[key] = can_name(access=self.access, model=key[0], object_type=key[1])
        return self.named[key]

    def opens(self, field: ObjectField) -> bool:
        """Whether the user may open the records that a reference names."""
        target = get_target(field)
        if target is None:
            return False
        if target.api_name not in self.targets:
            self.targets[target.api_name] = open_related(access=self.access, object_name=target.api_name)
        return self.targets[target.api_name] is not None


class FieldShower:
    """Shows values of one field. What all records have in common is found out once: lists have hundreds of cells."""

    def __init__(self, *, reader: ValueReader, field: ObjectField) -> None:
        vault_object = reader.shape.vault_object
        self._reader, self._field, self._kind = reader, field, kind_of(field)
        self._badge = vault_object.badges.get(field.api_name) or _BADGES.get(field.api_name)
        self._icons = vault_object.icons.get(field.api_name) or {}
        self._attribute = "" if field.is_custom else field.attribute
        self._leads_on = field.reference is not None and reader.opens(field)

    def read(self, record: Any) -> Any:
        """Return the value; for a custom reference the record, or `HIDDEN` if the user does not see it."""
        if self._attribute:
            return getattr(record, self._attribute, None)
        value = read_value(record=record, field=self._field)
        if self._field.reference is not None and value is not None:
            return self._reader.people.get(str(value), HIDDEN)
        return value

    def show(self, record: Any, value: Any) -> ShownValue:
        """Return a value that was read from the record as the user may see it."""
        # To compare a record with a text takes longer than to know that it is one.
        is_record = isinstance(value, Model)
        if not self._reader.may_name(value) if is_record else value == HIDDEN:
            return ShownValue(text=HIDDEN, raw=None)
        tone, text = self._badge(record) if self._badge else ("", self._format(value))
        icon = self._icons.get(str(value), "") if self._icons else ""
        link = "" if is_record or value in EMPTY else self._kind.find_link(value)
        url = link or (get_record_url(value) if is_record and self._leads_on else "")
        return ShownValue(text=text, raw=value, url=url, tone=tone, icon=icon, is_external=link.startswith("http"))

    def _format(self, value: Any) -> str:
        """Format a value; days, moments and picklist values only once, for the rows of a list repeat them."""
        if isinstance(value, Model):
            return mention_record(value)
        field, shape, texts = self._field, self._reader.shape, self._reader.texts
        if not isinstance(value, (dt.date, bool)) and not (field.choices and isinstance(value, str)):
            return format_value(value=value, field=field, shape=shape)
        key = (field.api_name, value)
        if key not in texts:
            texts[key] = format_value(value=value, field=field, shape=shape)
        return texts[key]


def format_value(*, value: Any, field: ObjectField, shape: ObjectShape) -> str:
    """Format a value for people, in the active time zone; empty text for no value."""
    return "" if value in EMPTY else kind_of(field).format(value=value, field=field, shape=shape)


def format_for(*, access: ObjectAccess, value: Any, field: ObjectField) -> str:
    """Format a value for one user, with `HIDDEN` in place of a record that the profile hides."""
    if isinstance(value, Model) and not can_name_record(access=access, record=value):
        return HIDDEN
    return format_value(value=value, field=field, shape=access.shape)
