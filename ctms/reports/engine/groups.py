"""Groups of a report: what the rows of a group have in common, its order, and its name."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from django.db.models import BooleanField, DateField, DateTimeField, DecimalField, Field, FloatField, IntegerField, Q
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Trunc
from django.utils import formats

from ctms.core.text.expressions import collate, is_text
from ctms.records.fields.kinds.base import kind_of
from ctms.reports.choices import Period
from ctms.reports.definition import GroupDefinition
from ctms.reports.engine.columns import NOTHING, Column, ReportCell, build_plain
from ctms.reports.engine.joins import Joins
from ctms.reports.engine.keyset import OrderKey

HIDDEN_GROUP = "hidden"
_GREATEST, _MOST_DECIMALS = 2**63 - 1, 30


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupBy:
    """A column that a report is grouped by, with the period that gathers days."""

    column: Column
    definition: GroupDefinition

    @property
    def period(self) -> str:
        """Return the period; days, if moments are grouped without one."""
        return self.definition.period or (Period.DAY if kind_of(self.column.field).is_day else "")

    @property
    def label(self) -> str:
        period = self.definition.period
        return f"{self.column.label} ({Period(period).label.lower()})" if period else self.column.label

    def open(self, *, joins: Joins, start: str, number: int) -> GroupReader:
        """Return what the statement with these joins answers for the group, under names of this number."""
        prefix = f"group_{number}"
        if self.column.field.reference is not None:
            return self._open_reference(joins=joins, start=start, prefix=prefix)
        field = self.column.field
        lead = self.column.lead(joins=joins, start=start)
        value, output = build_plain(field=field, lead=lead, model=self.column.subject.shape.vault_object.model)
        if self.period:
            value, output = self._gather(value), DateField()
        expressions = {prefix: value}
        order = [OrderKey(name=prefix, descending=self.definition.descending)]
        if is_text(output):
            expressions[f"{prefix}_order"] = collate(value)
            order.insert(0, OrderKey(name=f"{prefix}_order", descending=self.definition.descending))
        return GroupReader(group=self, names=(prefix,), expressions=expressions, order=tuple(order), output=output)

    def _gather(self, value: Combinable) -> Combinable:
        field = self.column.field
        is_moment = kind_of(field).is_moment
        if field.is_custom:
            value = Cast(value, DateTimeField() if is_moment else DateField())
        if self.period == Period.DAY and not is_moment:
            return value
        return Trunc(value, self.period, output_field=DateField())

    def _open_reference(self, *, joins: Joins, start: str, prefix: str) -> GroupReader:
        reader = self.column.build_reader(joins=joins, start=start)
        names = tuple(f"{prefix}_{index}" for index in range(len(reader.expressions)))
        descending = self.definition.descending
        expressions = dict(zip(names, reader.expressions, strict=True)) | {
            f"{prefix}_order": collate(reader.expressions[2])
        }
        return GroupReader(
            group=self,
            names=names,
            expressions=expressions,
            order=(
                OrderKey(name=f"{prefix}_order", descending=descending),
                OrderKey(name=names[0], descending=descending),
                *([OrderKey(name=names[-1], descending=descending)] if reader.has_flag else ()),
            ),
            read_reference=reader.read,
            flag=names[-1] if reader.has_flag else "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupValue:
    """What the rows of a group have in common: as addresses name it, and for people. `value` is what files get."""

    identity: str
    cell: ReportCell

    @property
    def text(self) -> str:
        return self.cell.text or "(empty)"


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupReader:
    """The expressions of a group in a statement, and what their values mean; `names` are those that are read."""

    group: GroupBy
    names: tuple[str, ...]
    expressions: Mapping[str, Combinable]
    order: tuple[OrderKey, ...]
    output: Field[Any, Any] | None = None
    read_reference: Any = None
    flag: str = ""

    def read(self, values: Sequence[Any]) -> GroupValue:
        """Return the group of the values of a row."""
        if self.read_reference is not None:
            cell = self.read_reference(values)
            identity = HIDDEN_GROUP if cell.is_hidden else "" if values[0] is None else str(values[0])
            return GroupValue(identity=identity, cell=cell)
        return self._read_value(values[0])

    def _read_value(self, value: Any) -> GroupValue:
        column = self.group.column
        if value is None:
            return GroupValue(identity="", cell=NOTHING)
        if isinstance(value, dt.datetime):
            value = value.date()
        if self.group.period:
            text = describe_period(day=value, period=self.group.period)
            return GroupValue(identity=value.isoformat(), cell=ReportCell(value=value, text=text))
        kind = kind_of(column.field)
        identity = str(value)
        if column.field.is_custom:
            value = _read_custom(kind, value)
        text = kind.format(value=value, field=column.field, shape=column.subject.shape)
        return GroupValue(identity=identity, cell=ReportCell(value=value, text=text))

    def match(self, identity: str) -> Q:
        """Return the condition that a row belongs to the group of this identity. Raises ValueError if there is none."""
        if not isinstance(identity, str):
            raise ValueError("An address names groups by texts.")  # noqa: TRY004  its JSON holds another value
        name = self.names[0]
        if self.flag:
            if identity == HIDDEN_GROUP:
                return Q(**{self.flag: True})
            if not identity:
                return Q(**{f"{name}__isnull": True, self.flag: False})
        if not identity:
            return Q(**{f"{name}__isnull": True})
        return Q(**{name: self._read_identity(identity)})

    def _read_identity(self, identity: str) -> Any:
        if self.read_reference is not None:
            return _read_whole(identity)
        if self.group.period:
            return dt.date.fromisoformat(identity)
        if isinstance(self.output, IntegerField):
            return _read_whole(identity)
        if isinstance(self.output, FloatField | DecimalField):
            return _read_number(identity)
        if isinstance(self.output, BooleanField):
            return {"True": True, "False": False}[identity]
        identity.encode()  # no half of a character beyond U+FFFF, which JSON can hold
        if "\x00" in identity:
            raise ValueError("No text of the database has a null character.")
        return identity


def _read_whole(identity: str) -> int:
    number = int(identity)
    if abs(number) > _GREATEST:
        raise ValueError(f"{identity} is no number of the database.")
    return number


def _read_number(identity: str) -> Decimal:
    try:
        number = Decimal(identity)
    except InvalidOperation as error:
        raise ValueError(f"{identity} is no number.") from error
    if not number.is_finite() or abs(number) > _GREATEST or number.adjusted() < -_MOST_DECIMALS:
        raise ValueError(f"{identity} is no number of the database.")
    return number


def _read_custom(kind: Any, value: Any) -> Any:
    if kind.name == "yes_no":
        return value == "true"
    return kind.read(value)


def describe_period(*, day: dt.date, period: str) -> str:
    """Return a period by its first day, such as `March 2026`."""
    if period == Period.DAY:
        return formats.date_format(day, "DATE_FORMAT")
    if period == Period.WEEK:
        year, week, _ = day.isocalendar()
        return f"Week {week}, {year}"
    if period == Period.MONTH:
        return formats.date_format(day, "F Y")
    return f"Q{(day.month + 2) // 3} {day.year}" if period == Period.QUARTER else str(day.year)
