"""How values are compared: the operators, how their values are read, and the condition that the database gets.

Kinds of fields name one of these as their `comparison`, or bring one of their own.
"""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils import timezone

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.core.clock import get_now
from ctms.core.text.folding import fold_text
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.operators import PERIODS, Operator
from ctms.records.fields.comparing.periods import count_hours, list_days

# Values beyond these do not fit every database's column types.
FIRST_DAY, LAST_DAY = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
LARGEST = 10**15
LONGEST_VALUE = 255
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]")
_FIRST_INSTANT = dt.datetime.combine(FIRST_DAY, dt.time.min, tzinfo=dt.UTC)
_END_OF_INSTANTS = dt.datetime.combine(LAST_DAY + dt.timedelta(days=1), dt.time.min, tzinfo=dt.UTC)
_NO_INSTANT = (
    "{value!r} is no moment. Write it with its offset, as 2026-03-31T14:05:00Z; in an address, a plus sign is %2B."
)
_MOST_DECIMALS = 20  # a number such as 1e-1000000 would be written out as a megabyte of zeros
_LISTED = (Operator.IS, Operator.IS_NOT)
_SPANS = (Operator.FROM, Operator.UNTIL, Operator.BETWEEN)


class Comparison:
    """How the values of a kind are compared. What it does not say otherwise is so for a list of values."""

    operators: Sequence[Operator] = _LISTED
    is_text = False  # an empty text is no value, too
    is_ordered = False  # whether one value may be before another
    input_type = "text"  # of the input for a value; empty if values are ticked
    schema: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST_VALUE}

    def list_ticks(self, choices: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:  # noqa: ARG002
        """Return the values to tick, with their labels, of a field with these choices."""
        return ()

    def build_schema(self, choices: Sequence[tuple[str, str]]) -> Mapping[str, Any]:  # noqa: ARG002
        """Return the JSON schema of a value."""
        return self.schema

    def read_typed(self, *, field: ObjectField, value: str) -> Any:  # noqa: ARG002
        """Return a value in its normal form as the field would hold it, for `Kind.format`."""
        return value

    def read_bound(self, value: str) -> Any:
        """Return a value in its normal form as what can be ordered."""
        return value

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002  one signature for all
        """Return the normal form of a value. Raises ValueError with a message for the user."""
        if len(value) > LONGEST_VALUE:
            raise ValueError(f"A value has at most {LONGEST_VALUE} characters; {value[:20]!r}… has {len(value)}.")
        if "\x00" in value:
            raise ValueError("Null characters are not allowed. Remove them.")
        return value

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:  # noqa: ARG002
        """Return what the values mean, for `build`. Raises ValueError with a message for the user."""
        empty = [value for value in values if not fold_text(value)] if operator in _PARTS else []
        if empty:
            # As a part, nothing is in every text.
            raise ValueError(f"{empty[0]!r} has nothing that can be looked for. Enter letters or digits.")
        return tuple(values)

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:  # noqa: ARG002
        """Return the condition that the field, found under `name`, holds what is meant.

        Of an operator that denies something, this is what is denied.
        """
        lookup = _PARTS.get(operator)
        if lookup is None:
            return Q(**{f"{name}__in": meaning})
        return _join(Q(**{f"{name}__{lookup}": value}) for value in meaning)


_PARTS = {
    Operator.CONTAINS: "folded_contains",
    Operator.NOT_CONTAINS: "folded_contains",
    Operator.BEGINS: "folded_startswith",
}


class TextComparison(Comparison):
    """Conditions on texts. Whole values are compared exactly, parts of them ignoring case."""

    operators = (*_LISTED, Operator.CONTAINS, Operator.NOT_CONTAINS, Operator.BEGINS)
    is_text = True


class ChoiceComparison(Comparison):
    """Conditions on the API names of picklist values."""

    is_text = True
    input_type = ""

    def list_ticks(self, choices: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
        return choices

    def build_schema(self, choices: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
        return {"type": "string", "enum": [value for value, _ in choices]}

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:
        if value not in dict(shape.list_choices(field)):
            raise ValueError(f"The picklist has no value {value!r} (any more). Choose among those it has.")
        return value


class YesNoComparison(Comparison):
    """Conditions on Yes/No fields; values are `true` and `false`."""

    operators = (Operator.IS,)
    input_type = ""
    schema = {"type": "boolean"}

    def list_ticks(self, choices: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:  # noqa: ARG002
        return [("true", "Yes"), ("false", "No")]

    def read_typed(self, *, field: ObjectField, value: str) -> bool:  # noqa: ARG002
        return value == "true"

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002
        if value not in ("true", "false"):
            raise ValueError(f"{value!r} is neither yes nor no. Enter true or false.")
        return value

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:  # noqa: ARG002
        # A custom field is compared as the text in its JSON.
        return tuple(values) if field.is_custom else tuple(value == "true" for value in values)


class NumberComparison(Comparison):
    """Conditions on numbers. What they mean is spans from a number to a number, each side included or open."""

    operators = (*_LISTED, *_SPANS)
    is_ordered = True
    input_type = "number"
    schema = {"type": "number"}

    def read_typed(self, *, field: ObjectField, value: str) -> Any:  # noqa: ARG002
        return self.read_bound(value)

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
        return build_spans(operator=operator, values=[self.read_bound(value) for value in values])

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


class DayComparison(Comparison):
    """Conditions on dates. What they mean is spans from a day to a day."""

    operators = (*_LISTED, *_SPANS, Operator.WITHIN, Operator.NOT_WITHIN)
    is_ordered = True
    input_type = "date"
    schema = {"type": "string", "format": "date"}

    def read_typed(self, *, field: ObjectField, value: str) -> dt.date:  # noqa: ARG002
        return self.read_bound(value)

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
            spans = build_spans(operator=operator, values=[self.read_bound(value) for value in values])
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
        return self._build_bound(asker=asker, field=field, day=day + self.measure(day)) if day else None

    def _build_bound(self, *, asker: Asker, field: ObjectField, day: dt.date | None) -> Any:
        if day is None:
            return None
        bound = self.start_day(asker=asker, day=day)
        return bound.isoformat() if field.is_custom else bound

    def start_day(self, *, asker: Asker, day: dt.date) -> dt.date:  # noqa: ARG002
        """Return the first value of a day."""
        return day

    def measure(self, day: dt.date) -> dt.timedelta:  # noqa: ARG002
        """Return how long a value lasts."""
        return dt.timedelta(days=1)


class MomentComparison(DayComparison):
    """Conditions on moments: on their days or, for programs, on instants such as `2026-03-31T14:05:00Z`."""

    schema = {"anyOf": [DayComparison.schema, {"type": "string", "format": "date-time"}]}

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:
        """Return the normal form of a day, or of an instant in UTC. Raises ValueError with a message for the user."""
        if not _is_instant(value):
            return super().read(shape=shape, field=field, value=value)
        try:
            instant = dt.datetime.fromisoformat(value)
        except ValueError:
            raise ValueError(_NO_INSTANT.format(value=value)) from None
        if instant.tzinfo is None:
            raise ValueError(_NO_INSTANT.format(value=value))
        if not _FIRST_INSTANT <= instant < _END_OF_INSTANTS:
            raise ValueError(f"Enter a moment between {FIRST_DAY} and {LAST_DAY}.")
        return instant.astimezone(dt.UTC).isoformat()

    def read_bound(self, value: str) -> dt.date:
        """Return a day, or an instant, in its normal form as what can be ordered."""
        return dt.datetime.fromisoformat(value) if _is_instant(value) else super().read_bound(value)

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Any:
        """Return the spans that the values mean. Raises ValueError."""
        instants = [value for value in values if operator not in PERIODS and _is_instant(value)]
        if instants and not asker.takes_instants:
            raise ValueError(f"{instants[0]!r} is no day. Enter it as year-month-day, e.g. 2026-03-31.")
        hours = count_hours(values[0]) if operator in PERIODS and asker.counts_hours else None
        if hours is None:
            return super().mean(asker=asker, field=field, operator=operator, values=values)
        now = get_now()
        first, last = sorted((now, now + hours))
        return [tuple(each.isoformat() for each in (first, last))] if field.is_custom else [(first, last)]

    def start_day(self, *, asker: Asker, day: dt.date) -> dt.datetime:
        if isinstance(day, dt.datetime):
            return day
        midnight = timezone.make_aware(dt.datetime.combine(day, dt.time.min), asker.get_zone())
        return midnight.astimezone(dt.UTC)

    def measure(self, day: dt.date) -> dt.timedelta:
        """Return how long a day or an instant lasts: moments are kept to the microsecond."""
        return dt.timedelta(microseconds=1) if isinstance(day, dt.datetime) else super().measure(day)


def _is_instant(value: str) -> bool:
    return _INSTANT.match(value) is not None


def build_spans(*, operator: Operator, values: Sequence[Any]) -> list[tuple[Any, Any]]:
    """Return the spans that the values of an operator mean, from a value to a value; None leaves a side open."""
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
    if isinstance(first, dt.datetime) != isinstance(last, dt.datetime):
        raise ValueError("One of “from” and “until” is a day, and the other a moment. Give both alike.")
    if first > last:
        raise ValueError(f"“From” ({first}) is after “until” ({last}), so nothing can match. Exchange the two.")


def _bound(*, name: str, first: Any, last: Any = None, end: Any = None) -> Q:
    """Return the condition that a value lies from `first` to `last`, included, or before `end`."""
    sides = {"gte": first, "lte": last, "lt": end}
    return Q(**{f"{name}__{lookup}": side for lookup, side in sides.items() if side is not None})


def _join(conditions: Iterable[Q]) -> Q:
    joined = Q()
    for each in conditions:
        joined |= each
    return joined
