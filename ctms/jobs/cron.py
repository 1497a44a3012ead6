"""Cron expressions in UTC. Celery's parser reads the fields; the next and the last due time are computed here.

If both the day of the month and the day of the week are restricted, either is enough, as crontab(5) says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from celery.schedules import ParseException, crontab_parser

from ctms.core.errors import VaultError

_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec"
_WEEKDAYS = "sun|mon|tue|wed|thu|fri|sat"
_EXAMPLE = "e.g. 30 6 * * mon-fri for 06:30 on working days"
# 29 February falls on a given weekday every 28 years, and every 40 around a century without a leap year.
_SEARCHED_DAYS = 41 * 366


class CronError(VaultError):
    """The text is no cron expression, or its day never comes, e.g. 30 February."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    label: str
    lowest: int
    count: int
    value: str = r"\d{1,2}"
    hint: str = ""

    def parse(self, text: str) -> frozenset[int]:
        """Return the numbers that the field allows. Raises CronError naming the field and what it takes."""
        part = rf"(\*|{self.value}|({self.value})-({self.value}))"
        steps = rf"(\*|({self.value})-({self.value}))/[1-9]\d?"
        well_formed = all(re.fullmatch(rf"{part}|{steps}", each, re.ASCII) for each in text.split(","))
        try:
            if well_formed:
                return frozenset(crontab_parser(self.count, self.lowest).parse(text))
        except (ValueError, ParseException):
            pass
        raise CronError(
            f"The {self.label} {text!r} is not understood. Enter numbers from {self.lowest} to "
            f"{self.lowest + self.count - 1}{self.hint}, *, ranges (1-5), lists (1,3) or steps (*/2)."
        )


_FIELDS = (
    _Field(label="minute", lowest=0, count=60),
    _Field(label="hour", lowest=0, count=24),
    _Field(label="day of month", lowest=1, count=31),
    _Field(label="month", lowest=1, count=12, value=rf"(?:\d{{1,2}}|{_MONTHS})", hint=" or jan to dec"),
    _Field(
        label="day of week",
        lowest=0,
        count=7,
        value=rf"(?:\d|{_WEEKDAYS})",
        hint=" (0 is Sunday) or sun to sat",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cron:
    """A cron expression: times of a day, and the days. `either_day`: the day of month or of week is enough."""

    times: tuple[time, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def find_next(self, after: datetime) -> datetime:
        """Return the first time strictly after `after` (UTC). Raises CronError if there is none."""
        for moment in self._list_moments(start=after.date(), step=1):
            if moment > after:
                return moment
        raise CronError("No such day ever comes. Change the day of month or the month.")

    def find_last(self, until: datetime) -> datetime:
        """Return the last time at or before `until` (UTC). Raises CronError if there is none."""
        for moment in self._list_moments(start=until.date(), step=-1):
            if moment <= until:
                return moment
        raise CronError("No such day ever came. Change the day of month or the month.")

    def _list_moments(self, *, start: date, step: int) -> list[datetime]:
        """Return the times of the first two days that have any, from `start` forwards (`step` 1) or backwards (-1).

        Two, because on the first all times may lie on the wrong side of the moment that is asked for.
        """
        found: list[datetime] = []
        for number in range(_SEARCHED_DAYS):
            day = start + timedelta(days=step * number)
            if self._allows(day):
                moments = [datetime.combine(day, at, tzinfo=UTC) for at in self.times]
                found += moments if step > 0 else reversed(moments)
                if len(found) > len(self.times):
                    break
        return found

    def _allows(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week


def parse_cron(text: str) -> Cron:
    """Read a cron expression. Raises CronError with what is wrong and what to enter instead."""
    parts = text.lower().split()
    if len(parts) != len(_FIELDS):
        raise CronError(
            f"Enter five fields, parted by spaces: minute, hour, day of month, month and day of week, {_EXAMPLE}."
        )
    minutes, hours, days, months, weekdays = (field.parse(part) for field, part in zip(_FIELDS, parts, strict=True))
    cron = Cron(
        times=tuple(time(hour, minute) for hour in sorted(hours) for minute in sorted(minutes)),
        days=days,
        months=months,
        weekdays=weekdays,
        either_day=not parts[2].startswith("*") and not parts[4].startswith("*"),
    )
    cron.find_next(datetime(2000, 1, 1, tzinfo=UTC))
    return cron
