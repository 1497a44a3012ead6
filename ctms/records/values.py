"""Values of records: read, written and shown by field, standard and custom alike."""

from __future__ import annotations

import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Model, QuerySet
from django.urls import reverse
from django.utils import formats, timezone

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.choices import RecordStatus
from ctms.core.models import VaultRecord
from ctms.records.access import ObjectAccess, open_related
from ctms.records.references import HIDDEN, can_name, can_name_record, get_target

# Beyond these a moment would lie outside of the calendar somewhere on Earth.
EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=dt.UTC)
# Chips of what every object has.
_STATUS = {RecordStatus.ACTIVE: ("neutral", "Active"), RecordStatus.INACTIVE: ("quiet", "Inactive")}
_CHIPS: Mapping[str, Callable[[Any], tuple[str, str]]] = {"status__v": lambda record: _STATUS[record.status]}


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownValue:
    """A value for people. `tone` makes it a chip, `url` a link; `raw` is what sorts, exports and compares.

    `icon` names one of the sprite's, to stand before the text.
    """

    text: str
    raw: Any
    url: str = ""
    tone: str = ""
    icon: str = ""


def read_value(*, record: Any, field: ObjectField) -> Any:
    """The value of a field in its own Python type; a custom reference is a uid."""
    if not field.is_custom:
        # A required reference that a new record does not have yet is an error to Django, and none to us.
        return getattr(record, field.attribute, None)
    stored = (record.custom_fields or {}).get(field.api_name)
    if stored in (None, ""):
        return None
    return _READERS.get(field.kind, str)(stored)


_READERS: Mapping[FieldKind, Callable[[Any], Any]] = {
    FieldKind.DATE: dt.date.fromisoformat,
    FieldKind.DATETIME: dt.datetime.fromisoformat,
    FieldKind.NUMBER: lambda stored: Decimal(str(stored)),
    FieldKind.REFERENCE: UUID,
    FieldKind.YES_NO: bool,
}


def assign_value(*, record: Any, field: ObjectField, value: Any) -> None:
    """Put a value of the field's Python type (a record, for a reference) into a record that is not saved yet."""
    if not field.is_custom:
        empty: Any = "" if field.reference is None and field.kind in _EMPTY_TEXT else None
        setattr(record, field.attribute, empty if value is None else value)
        return
    values = dict(record.custom_fields or {})
    if value in (None, ""):
        values.pop(field.api_name, None)
    else:
        values[field.api_name] = _store(value)
    record.custom_fields = values


_EMPTY_TEXT = (FieldKind.TEXT, FieldKind.LONG_TEXT, FieldKind.PICKLIST)


def _store(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, VaultRecord):
        return str(value.uid)
    return str(value) if isinstance(value, UUID) else value


def select_references(*, records: QuerySet[Any], fields: Iterable[ObjectField]) -> QuerySet[Any]:
    """Load the records that the fields refer to along with these."""
    attributes = [each.attribute for each in fields if each.reference is not None and not each.is_custom]
    return records.select_related(*attributes) if attributes else records


@dataclass(slots=True, kw_only=True)
class ValueReader:
    """Shows values of records of one object to one user. People in custom fields are loaded once for all records."""

    access: ObjectAccess
    people: dict[str, Any] = field(default_factory=dict)
    targets: dict[str, ObjectAccess | None] = field(default_factory=dict)
    named: dict[tuple[type[Model], str], bool] = field(default_factory=dict)

    @property
    def shape(self) -> ObjectShape:
        return self.access.shape

    def load(self, *, records: Sequence[Any], fields: Iterable[ObjectField]) -> ValueReader:
        """Read what the custom references of the records refer to: one statement a model, none without them."""
        wanted: dict[type[Model], set[str]] = {}
        for each in fields:
            if each.is_custom and each.reference is not None:
                uids = {uid for record in records if (uid := (record.custom_fields or {}).get(each.api_name))}
                wanted.setdefault(each.reference, set()).update(uids.difference(self.people))
        for model, uids in wanted.items():
            found = model._default_manager.filter(uid__in=uids) if uids else ()
            self.people |= {str(person.uid): person for person in found if isinstance(person, VaultRecord)}
        return self

    def show(self, *, record: Any, field: ObjectField) -> ShownValue:
        """One value of one record."""
        value = read_value(record=record, field=field)
        if field.is_custom and field.reference is not None and value is not None:
            value = self.people.get(str(value))
        if not self.may_name(value):
            return ShownValue(text=HIDDEN, raw=None)
        chips = self.shape.vault_object.chips
        chip = chips.get(field.api_name) or _CHIPS.get(field.api_name)
        tone, text = chip(record) if chip else ("", format_value(value=value, field=field, shape=self.shape))
        icon = self.shape.vault_object.icons.get(field.api_name, {}).get(str(value), "")
        return ShownValue(text=text, raw=value, url=self._find_url(field=field, value=value), tone=tone, icon=icon)

    def may_name(self, value: Any) -> bool:
        """Whether the user may be told what a value says: not of a record that the profile hides."""
        if not isinstance(value, Model):
            return True
        key = (type(value), getattr(value, "object_type", ""))
        if key not in self.named:
            self.named[key] = can_name(access=self.access, model=key[0], object_type=key[1])
        return self.named[key]

    def _find_url(self, *, field: ObjectField, value: Any) -> str:
        target = get_target(field)
        if target is None or not isinstance(value, Model):
            return ""
        if target.api_name not in self.targets:
            self.targets[target.api_name] = open_related(access=self.access, object_name=target.api_name)
        if self.targets[target.api_name] is None:
            return ""
        return get_record_url(value)


def get_record_url(record: Any) -> str:
    """Address of a record's page."""
    return f"{_get_list_url(record.object_name)}{record.uid}/"


def to_zone(moment: dt.datetime, zone: dt.tzinfo | None = None) -> dt.datetime:
    """The moment in a time zone, else in the one in force; in its own if the calendar ends before that."""
    try:
        return moment.astimezone(zone or timezone.get_current_timezone())
    except OverflowError:
        return moment


@functools.cache
def _get_list_url(object_name: str) -> str:
    # Of each object once: a page names hundreds of records, and resolving an address is what takes longest in it.
    return reverse("record_list", args=(object_name,))


def format_value(*, value: Any, field: ObjectField, shape: ObjectShape) -> str:
    """A value as people read it, in the time zone in force; empty for none."""
    if value is None or value == "":
        text = ""
    elif field.kind == FieldKind.YES_NO:
        text = "Yes" if value else "No"
    elif field.api_name == "object_type__v":
        text = shape.get_type(str(value)).label
    elif field.kind == FieldKind.PICKLIST:
        text = field.choice_labels.get(str(value), str(value))
    elif isinstance(value, dt.datetime):
        text = formats.date_format(to_zone(value), "DATETIME_FORMAT")
    elif isinstance(value, dt.date):
        text = formats.date_format(value, "DATE_FORMAT")
    elif isinstance(value, Decimal):
        text = f"{value.normalize():f}"
    else:
        text = str(value)
    return text


def format_for(*, access: ObjectAccess, value: Any, field: ObjectField) -> str:
    """The same for one user, who is not told the names of records that the profile hides."""
    if isinstance(value, Model) and not can_name_record(access=access, record=value):
        return HIDDEN
    return format_value(value=value, field=field, shape=access.shape)
