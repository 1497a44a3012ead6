"""What conditions ask of each kind of field: the operators, how values are read, and how they are compared.

This is the one table by kind of the condition language.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from ctms.configuration.choices import FieldKind
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.conditions.askers import Asker
from ctms.records.conditions.operators import EMPTINESS, PERIODS, Operator
from ctms.records.conditions.periods import list_days, read_period
from ctms.records.conditions.referred import ReferenceConditions

# Values beyond these do not fit every database's column types.
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
LARGEST = 10**15
LONGEST_VALUE = 255
_MOST_DECIMALS = 20  # a number such as 1e-1000000 would be written out as a megabyte of zeros
_LISTED = (Operator.IS, Operator.IS_NOT)
_SPANS = (Operator.FROM, Operator.UNTIL, Operator.BETWEEN)


class TextConditions:
    """Conditions on texts. Whole values are compared exactly, parts of them ignoring case."""

    operators: Sequence[Operator] = (*_LISTED, Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.BEGINS)
    is_text = True  # an empty text is no value, too

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002  one signature for all
        """Return the normal form of a value. Raises ValueError with a message for the user."""
        if len(value) > LONGEST_VALUE:
            raise ValueError(f"A value has at most {LONGEST_VALUE} characters; {value[:20]!r}… has {len(value)}.")
        if "\x00" in value:
            raise ValueError("Null characters are not allowed. Remove them.")
        return value

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:  # noqa: ARG002
        """Return what the values mean, for `build`. Raises ValueError with a message for the user."""
        return tuple(values)

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:  # noqa: ARG002
        """Return the condition that the field, found under `name`, holds what is meant.

        Of an operator that denies something, this is what is denied.
        """
        lookup = _PARTS.get(operator)
        if lookup is None:
            return Q(**{f"{name}__in": meaning})
        return _join(Q(**{f"{name}__{lookup}": value}) for value in meaning)


_PARTS = {Operator.CONTAINS: "icontains", Operator.NOT_CONTAINS: "icontains", Operator.BEGINS: "istartswith"}


class PicklistConditions(TextConditions):
    """Conditions on the API names of picklist values."""

    operators = _LISTED

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:
        if value not in dict(shape.list_choices(field)):
            raise ValueError(f"The picklist has no value {value!r} (any more). Choose among those it has.")
        return value


class YesNoConditions(TextConditions):
    """Conditions on Yes/No fields; values are `true` and `false`."""

    operators = (Operator.IS,)
    is_text = False

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002
        if value not in ("true", "false"):
            raise ValueError(f"{value!r} is neither yes nor no. Enter true or false.")
        return value

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:  # noqa: ARG002
        # A custom field is compared as the text in its JSON.
        return tuple(values) if field.is_custom else tuple(value == "true" for value in values)


class NumberConditions:
    """Conditions on numbers. What they mean is spans from a number to a number, each side included or open."""

    operators: Sequence[Operator] = (*_LISTED, *_SPANS)
    is_text = False

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002
        """Return the normal form of a value. Raises ValueError with a message for the user."""
        try:
            number = Decimal(value)
        except InvalidOperation:
            number = Decimal("NaN")
        if number.is_nan():
            raise ValueError(f"{value!r} is no number. Enter digits, with a point before the fraction.")
        if not number.is_finite() or abs(number) > LARGEST:
            raise ValueError(f"Enter a number between {-LARGEST:,} and {LARGEST:,}.")
        if -int(number.as_tuple().exponent) > _MOST_DECIMALS:
            raise ValueError(f"Enter a number with at most {_MOST_DECIMALS} digits after the point.")
        return value

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:  # noqa: ARG002
        """Return the spans that the values mean. Raises ValueError with a message for the user."""
        return _build_spans(operator=operator, values=[self.read_bound(value) for value in values])

    def read_bound(self, value: str) -> Decimal:
        """Return a value in its normal form as what can be ordered."""
        return Decimal(value)

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:  # noqa: ARG002
        """Return the condition that the field's number lies in one of the spans."""
        # Django leaves out a comparison that every number of the column passes, and NULL would match then.
        return Q(**{f"{name}__isnull": False}) & _join(
            _bound(name=name, first=_cut(field, first, up=True), last=_cut(field, last, up=False))
            for first, last in meaning
        )


def _cut(field: ObjectField, number: Decimal | None, *, up: bool) -> Any:
    if number is None or field.is_custom:
        return number if number is None else float(number)
    # Django would cut the fraction off, so that 1.5 would compare as 1.
    return (math.ceil(number) if up else math.floor(number)) if field.is_whole else number


class DayConditions:
    """Conditions on dates, and on the days of moments. What they mean is spans from a day to a day."""

    operators: Sequence[Operator] = (*_LISTED, *_SPANS, Operator.WITHIN, Operator.NOT_WITHIN)
    is_text = False

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002
        """Return the normal form of a day. Raises ValueError with a message for the user."""
        try:
            day = forms.DateField().to_python(value)
        except ValidationError:
            day = None
        if day is None:
            raise ValueError(f"{value!r} is no day. Enter it as year-month-day, e.g. 2026-03-31.")
        if not FIRST_DAY <= day <= LAST_DAY:
            raise ValueError(f"Enter a day between {FIRST_DAY} and {LAST_DAY}.")
        return day.isoformat()

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:
        """Return the spans that the values mean, in values to compare with. Raises ValueError."""
        if operator in PERIODS:
            spans = [list_days(period=values[0], today=timezone.localdate(timezone=asker.get_zone()))]
        else:
            spans = _build_spans(operator=operator, values=[self.read_bound(value) for value in values])
        return [
            (
                self._build_bound(asker=asker, field=field, day=first),
                self._build_end(asker=asker, field=field, day=last),
            )
            for first, last in spans
        ]

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:  # noqa: ARG002
        """Return the condition that the field lies in one of the spans."""
        return _join(_bound(name=name, first=first, end=end) for first, end in meaning)

    def read_bound(self, value: str) -> dt.date:
        """Return a day in its normal form as what can be ordered."""
        return dt.date.fromisoformat(value)

    def _build_end(self, *, asker: Asker, field: ObjectField, day: dt.date | None) -> Any:
        return self._build_bound(asker=asker, field=field, day=day + dt.timedelta(days=1)) if day else None

    def _build_bound(self, *, asker: Asker, field: ObjectField, day: dt.date | None) -> Any:
        if day is None:
            return None
        if field.kind == FieldKind.DATE:
            return day.isoformat() if field.is_custom else day
        midnight = timezone.make_aware(dt.datetime.combine(day, dt.time.min), asker.get_zone())
        return midnight.astimezone(dt.UTC).isoformat() if field.is_custom else midnight


def _build_spans(*, operator: Operator, values: Sequence[Any]) -> list[tuple[Any, Any]]:
    if operator == Operator.FROM:
        return [(values[0], None)]
    if operator == Operator.UNTIL:
        return [(None, values[0])]
    if operator == Operator.BETWEEN:
        refuse_reversed(first=values[0], last=values[1])
        return [(values[0], values[1])]
    return [(value, value) for value in values]


def refuse_reversed(*, first: Any, last: Any) -> None:
    """Raise ValueError if a span ends before it begins."""
    if first > last:
        raise ValueError(f"“From” ({first}) is after “until” ({last}), so nothing can match. Exchange the two.")


def _bound(*, name: str, first: Any, last: Any = None, end: Any = None) -> Q:
    """Return the condition that a value lies from `first` to `last`, included, or before `end`."""
    sides = {"gte": first, "lte": last, "lt": end}
    return Q(**{f"{name}__{lookup}": side for lookup, side in sides.items() if side is not None})


def _join(conditions: Any) -> Q:
    joined = Q()
    for each in conditions:
        joined |= each
    return joined


ConditionKind = TextConditions | NumberConditions | DayConditions | ReferenceConditions

_KINDS: Mapping[FieldKind, ConditionKind] = {
    FieldKind.TEXT: TextConditions(),
    FieldKind.LONG_TEXT: TextConditions(),
    FieldKind.PICKLIST: PicklistConditions(),
    FieldKind.YES_NO: YesNoConditions(),
    FieldKind.NUMBER: NumberConditions(),
    FieldKind.DATE: DayConditions(),
    FieldKind.DATETIME: DayConditions(),
    FieldKind.REFERENCE: ReferenceConditions(),
}


def get_kind(field: ObjectField) -> ConditionKind:
    """Return what conditions ask of fields of this kind."""
    return _KINDS[field.kind]


def list_operators(*, asker: Asker, field: ObjectField) -> list[Operator]:
    """Return the operators that forms offer for a field."""
    can_be_empty = field.may_be_empty or field.is_custom or get_kind(field).is_text
    return [*_list_with_values(asker=asker, field=field), *(EMPTINESS if can_be_empty else ())]


def list_accepted_operators(*, asker: Asker, field: ObjectField) -> list[Operator]:
    """Return the operators that addresses and stored conditions may use: whether it is empty may be asked of any."""
    return [*_list_with_values(asker=asker, field=field), *EMPTINESS]


def read_value(*, shape: ObjectShape, field: ObjectField, operator: Operator, value: str) -> str:
    """Return the normal form of a value. Raises ValueError with a message for the user."""
    if operator in PERIODS:
        return read_period(value)
    return get_kind(field).read(shape=shape, field=field, value=value)


def _list_with_values(*, asker: Asker, field: ObjectField) -> Sequence[Operator]:
    kind = get_kind(field)
    if isinstance(kind, ReferenceConditions) and not kind.is_open(asker=asker, field=field):
        return ()
    return kind.operators


def is_empty(*, field: ObjectField, name: str) -> Q:
    """Return the condition that the field holds no value."""
    empty = Q(**{f"{name}__isnull": True})
    return empty | Q(**{name: ""}) if get_kind(field).is_text else empty
