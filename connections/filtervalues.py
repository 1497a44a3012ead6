"""Clean the values of a filter's conditions for storing and comparing."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal, InvalidOperation

from connections.choices import FilterOperator
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.records.fields.conditions import FIRST_DAY, LARGEST, LAST_DAY
from ctms.records.fields.kinds.base import Comparison, kind_of

LISTED = (FilterOperator.IN, FilterOperator.NOT_IN)
SPAN = (FilterOperator.FROM, FilterOperator.TO)
MOST_VALUES = 500
LONGEST_VALUE = 255


def takes_values(operator: str) -> bool:
    """Whether the operator compares with values that the user enters."""
    return operator in (*LISTED, *SPAN, FilterOperator.EQUALS)


def clean_values(
    *, shape: ObjectShape, field: ObjectField, operator: FilterOperator, values: list[str]
) -> tuple[str, ...]:
    """Return the values in their normal form. Raises ValueError with a message for the user."""
    if not takes_values(operator):
        return ()
    found = list(dict.fromkeys(value.strip() for value in values if value.strip()))
    if not found:
        raise ValueError("Enter a value, or choose “is empty” or “is not empty”.")
    if operator not in LISTED and len(found) > 1:
        raise ValueError(f"Enter one value; “{operator.label}” takes no more.")
    if len(found) > MOST_VALUES:
        raise ValueError(f"Enter at most {MOST_VALUES} values.")
    comparison = kind_of(field).comparison
    if comparison == Comparison.CHOICE:
        known = dict(shape.list_choices(field))
        if unknown := [value for value in found if value not in known]:
            raise ValueError(f"The picklist has no value {unknown[0]!r} (any more). Choose among those it has.")
        return tuple(found)
    return tuple(_CLEANERS.get(comparison, _clean_text)(value) for value in found)


def _clean_text(value: str) -> str:
    if len(value) > LONGEST_VALUE:
        raise ValueError(f"A value has at most {LONGEST_VALUE} characters; {value[:20]!r}… has {len(value)}.")
    return value


def _clean_uid(value: str) -> str:
    try:
        return str(uuid.UUID(value))
    except ValueError:
        raise ValueError(f"{value!r} is no uid. Choose the record again.") from None


def _clean_day(value: str) -> str:
    try:
        day = dt.date.fromisoformat(value)
    except ValueError:
        raise ValueError(f"{value!r} is no day. Enter it as year-month-day, e.g. 2026-03-31.") from None
    if not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"Enter a day between {FIRST_DAY} and {LAST_DAY}.")
    return day.isoformat()


def _clean_number(value: str) -> str:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number. Enter digits, with a point before the fraction.") from None
    if not number.is_finite() or abs(number) > LARGEST:
        raise ValueError(f"Enter a number between {-LARGEST:,} and {LARGEST:,}.")
    return value


_CLEANERS = {
    Comparison.RECORD: _clean_uid,
    Comparison.DAY: _clean_day,
    Comparison.NUMBER: _clean_number,
}
