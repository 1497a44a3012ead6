"""Periods relative to today, such as `today`, `this_week`, `last_30_days`, `before_today`.

Weeks begin on Monday. `last_3_months` is from this day three months ago until today, `last_month` the calendar month
before this one. Names from before there were units (`last_7`, `past`, `future`) are read for ever, because addresses
and saved views hold them.
"""

from __future__ import annotations

import calendar
import datetime as dt
import re
from collections.abc import Callable, Mapping

Days = tuple[dt.date | None, dt.date | None]

LONGEST = 999
SIDES = ("last", "next")
UNITS = ("days", "weeks", "months")
_COUNTED = re.compile(r"(last|next)_([1-9][0-9]{0,2})(?:_(day|week|month)s?)?")
_OLD_NAMES: Mapping[str, str] = {"past": "before_today", "future": "after_today"}


def _build_week(today: dt.date, steps: int) -> Days:
    monday = today + dt.timedelta(days=7 * steps - today.weekday())
    return monday, monday + dt.timedelta(days=6)


def _build_months(today: dt.date, steps: int, length: int) -> Days:
    """Return `length` calendar months, of which the first begins `steps` of such spans after the one with today."""
    month = today.year * 12 + today.month - 1
    first = (month // length + steps) * length
    return _get_first(first), _get_first(first + length) - dt.timedelta(days=1)


def _get_first(month: int) -> dt.date:
    return dt.date(month // 12, month % 12 + 1, 1)


def _build_spans() -> Mapping[str, tuple[str, Callable[[dt.date], Days]]]:
    spans: dict[str, tuple[str, Callable[[dt.date], Days]]] = {}
    for word, steps in (("this", 0), ("last", -1), ("next", 1)):
        spans[f"{word}_week"] = (f"{word} week", lambda today, steps=steps: _build_week(today, steps))  # type: ignore[misc]
        for unit, length in (("month", 1), ("quarter", 3), ("year", 12)):
            spans[f"{word}_{unit}"] = (
                f"{word} {unit}",
                lambda today, steps=steps, length=length: _build_months(today, steps, length),  # type: ignore[misc]
            )
    return spans


def _build_day(steps: int) -> Callable[[dt.date], Days]:
    step = dt.timedelta(days=steps)
    return lambda today: (today + step, today + step)


_NAMED: Mapping[str, tuple[str, Callable[[dt.date], Days]]] = {
    "today": ("today", _build_day(0)),
    "yesterday": ("yesterday", _build_day(-1)),
    "tomorrow": ("tomorrow", _build_day(1)),
    "before_today": ("before today", lambda today: (None, today - dt.timedelta(days=1))),
    "after_today": ("after today", lambda today: (today + dt.timedelta(days=1), None)),
    **_build_spans(),
}
PERIOD_CHOICES = [(name, label) for name, (label, _) in _NAMED.items()]


def read_period(name: str) -> str:
    """Return the name of a period as it is written today. Raises ValueError with a message for the user."""
    name = _OLD_NAMES.get(name, name)
    if name in _NAMED:
        return name
    counted = _COUNTED.fullmatch(name)
    if counted is None:
        raise ValueError(
            f"{name!r} is no period. Enter one such as today, this_week, last_30_days, next_2_weeks or before_today."
        )
    side, number, unit = counted.groups()
    return f"{side}_{number}_{unit or 'day'}s"


def split_period(period: str) -> tuple[str, str]:
    """Split a period that counts, such as `last_30_days`, into its form and number: `last_days` and `30`.

    Any other period is its own form, and its number is empty.
    """
    counted = _COUNTED.fullmatch(period) if period not in _NAMED else None
    if counted is None:
        return period, ""
    side, number, unit = counted.groups()
    return f"{side}_{unit or 'day'}s", number


def join_period(form: str, number: str) -> str:
    """Return the period that `split_period` takes apart."""
    side, _, unit = form.partition("_")
    return f"{side}_{number}_{unit}" if side in SIDES and unit in UNITS else form


def list_days(*, period: str, today: dt.date) -> Days:
    """Return the first and the last day of a period; None if it is open on that side."""
    if period in _NAMED:
        return _NAMED[period][1](today)
    form, number = split_period(read_period(period))
    side, unit = form.split("_")
    count = int(number) if side == "next" else -int(number)
    far = (
        _add_months(today, count)
        if unit == "months"
        else today + dt.timedelta(days=count * (7 if unit == "weeks" else 1))
    )
    return (today, far) if side == "next" else (far, today)


def count_hours(period: str) -> dt.timedelta | None:
    """Return how far a period of counted days or weeks reaches from now, back if it is negative; None for others."""
    form, number = split_period(period)
    if not number or form.endswith("months"):
        return None
    side, unit = form.split("_")
    span = dt.timedelta(days=int(number) * (7 if unit == "weeks" else 1))
    return span if side == "next" else -span


def describe_period(period: str) -> str:
    """Return the words of a period, such as `in the last 30 days`."""
    if period in _NAMED:
        return _NAMED[period][0]
    form, number = split_period(period)
    side, unit = form.split("_")
    return f"in the {side} {unit.removesuffix('s')}" if number == "1" else f"in the {side} {number} {unit}"


def _add_months(day: dt.date, count: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return dt.date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
