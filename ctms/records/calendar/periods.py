"""The views of the calendar and the days that each shows. Weeks begin on the day that the formats of the Vault say."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from django.db.models import TextChoices
from django.utils import formats
from django.utils.formats import date_format

EARLIEST, LATEST = dt.date(1900, 1, 1), dt.date(2199, 12, 31)
WEEK = 7
_AGENDA = 28  # days
_MONTH = re.compile(r"(\d{4})-(\d{2})")


class View(TextChoices):
    MONTH = "month", "Month"
    WEEK = "week", "Week"
    AGENDA = "agenda", "Agenda"
    DAY = "day", "Day"


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The days that a view shows, both included, and the days from which the one before and after are shown.

    `month` is the month in which days are not grey; None if none is.
    """

    title: str
    first: dt.date
    last: dt.date
    previous: dt.date | None
    following: dt.date | None
    month: int | None = None


def read_day(text: str) -> dt.date:
    """Read `2026-12-03` or `2026-12`, the first of the month. Raises ValueError with a message for the user."""
    problem = f"Date: {text[:40]!r} is no day. Enter one such as 2026-12-03, or a month such as 2026-12."
    try:
        day = dt.date.fromisoformat(f"{text}-01" if _MONTH.fullmatch(text) else text)
    except ValueError:
        raise ValueError(problem) from None
    if not EARLIEST <= day <= LATEST:
        raise ValueError(f"Date: enter a day between {EARLIEST} and {LATEST}.")
    return day


def find_period(*, view: View, day: dt.date) -> Period:
    """Return the days that the view shows for a day."""
    if view == View.MONTH:
        return _find_month(day)
    if view == View.DAY:
        return _build(title=date_format(day, "l j F Y"), first=day, last=day, step=1, day=day)
    first = find_week_start(day) if view == View.WEEK else day
    length = WEEK if view == View.WEEK else _AGENDA
    last = min(first + dt.timedelta(days=length - 1), LATEST)
    return _build(title=_name_days(first, last), first=first, last=last, step=length, day=day)


def find_week_start(day: dt.date) -> dt.date:
    """Return the first day of the week that a day is in."""
    first = int(formats.get_format("FIRST_DAY_OF_WEEK"))  # 0 is Sunday
    return day - dt.timedelta(days=(day.weekday() + 1 - first) % WEEK)


def _find_month(day: dt.date) -> Period:
    begin = day.replace(day=1)
    after = _add_month(begin)
    end = after - dt.timedelta(days=1)
    before = (begin - dt.timedelta(days=1)).replace(day=1)
    return Period(
        title=date_format(day, "F Y"),
        first=find_week_start(begin),
        last=find_week_start(end) + dt.timedelta(days=WEEK - 1),
        previous=before if before >= EARLIEST else None,
        following=after if after <= LATEST else None,
        month=day.month,
    )


def _build(*, title: str, first: dt.date, last: dt.date, step: int, day: dt.date) -> Period:
    previous, following = day - dt.timedelta(days=step), day + dt.timedelta(days=step)
    return Period(
        title=title,
        first=first,
        last=last,
        previous=previous if previous >= EARLIEST else None,
        following=following if following <= LATEST else None,
    )


def _add_month(first: dt.date) -> dt.date:
    return (first + dt.timedelta(days=31)).replace(day=1)


def _name_days(first: dt.date, last: dt.date) -> str:
    """Name days such as `7 – 13 December 2026`, `28 December 2026 – 3 January 2027`."""
    if first.year != last.year:
        return f"{date_format(first, 'j F Y')} – {date_format(last, 'j F Y')}"
    if first.month != last.month:
        return f"{date_format(first, 'j F')} – {date_format(last, 'j F Y')}"
    return f"{first.day} – {date_format(last, 'j F Y')}"
