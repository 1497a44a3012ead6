"""Periods relative to today, such as the last 7 days, which filters of dates offer."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

_Days = tuple[dt.date | None, dt.date | None]


def _list_week(today: dt.date) -> _Days:
    monday = today - dt.timedelta(days=today.weekday())
    return monday, monday + dt.timedelta(days=6)


def _list_month(today: dt.date) -> _Days:
    first = today.replace(day=1)
    return first, (first + dt.timedelta(days=31)).replace(day=1) - dt.timedelta(days=1)


def _list_last_month(today: dt.date) -> _Days:
    return _list_month(today.replace(day=1) - dt.timedelta(days=1))


_PERIODS: dict[str, tuple[str, Callable[[dt.date], _Days]]] = {
    "today": ("today", lambda today: (today, today)),
    "this_week": ("this week", _list_week),
    "this_month": ("this month", _list_month),
    "last_month": ("last month", _list_last_month),
    "this_year": ("this year", lambda today: (today.replace(month=1, day=1), today.replace(month=12, day=31))),
    "last_7": ("in the last 7 days", lambda today: (today - dt.timedelta(days=7), today)),
    "last_30": ("in the last 30 days", lambda today: (today - dt.timedelta(days=30), today)),
    "last_90": ("in the last 90 days", lambda today: (today - dt.timedelta(days=90), today)),
    "next_7": ("in the next 7 days", lambda today: (today, today + dt.timedelta(days=7))),
    "next_30": ("in the next 30 days", lambda today: (today, today + dt.timedelta(days=30))),
    "past": ("before today", lambda today: (None, today - dt.timedelta(days=1))),
    "future": ("after today", lambda today: (today + dt.timedelta(days=1), None)),
}
PERIOD_CHOICES = [(name, label) for name, (label, _) in _PERIODS.items()]


def list_days(*, period: str, today: dt.date) -> _Days:
    """Return the first and the last day of a period; None if it is open on that side."""
    return _PERIODS[period][1](today)


def describe_period(period: str) -> str:
    """Return the label of a period."""
    return _PERIODS[period][0]
