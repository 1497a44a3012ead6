"""Cron expressions in a time zone, and their next and last due times.

If both the day of the month and the day of the week are restricted, either is enough, as crontab(5) says. A time that
clocks leave out when they are set forward is the next that they show; of one that they show twice, the first counts,
unless every hour is allowed: then each hour that passes has its times.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from ctms.core.errors import VaultError
from ctms.core.zones import find_moment, list_moments

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_EXAMPLE = "e.g. 30 6 * * mon-fri for 06:30 on working days"
_HOURS = 24
_DAY = timedelta(days=1)
# 29 February falls on a given weekday every 28 years, and every 40 around a century without a leap year.
_SEARCHED_DAYS = 41 * 366


class CronError(VaultError):
    """The text is no cron expression, or its day never comes, e.g. 30 February."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Field:
    """One of the five fields. `highest` may be written; only numbers from `lowest` to `last` are different."""

    label: str
    lowest: int
    highest: int
    last: int
    names: tuple[str, ...] = ()
    hint: str = ""

    def parse(self, text: str) -> frozenset[int]:
        """Return the numbers that the field allows. Raises CronError naming the field and what it takes."""
        numbers: set[int] = set()
        for part in text.split(","):
            numbers |= self._parse_part(part, text)
        return frozenset(number if number <= self.last else self.lowest for number in numbers)

    def _parse_part(self, part: str, text: str) -> set[int]:
        span, slash, step_text = part.partition("/")
        first_text, dash, end_text = span.partition("-")
        if span == "*":
            first, end = self.lowest, self.last
        else:
            first = self._read(first_text, text)
            end = self._read(end_text, text) if dash else first
        if slash and ((span != "*" and not dash) or not re.fullmatch(r"[1-9]\d{0,3}", step_text, re.ASCII)):
            raise self._refuse(text)
        step = int(step_text) if slash else 1
        if end < first:
            raise CronError(
                f"The {self.label} {part!r} ends before it begins. Enter the smaller number first, or two ranges: "
                f"{self._describe_range(first, self.last)},{self._describe_range(self.lowest, end)}."
            )
        if slash and step > end - first:
            raise CronError(
                f"The {self.label} {part!r} takes steps of {step} from {first} to {end}, so that only {first} is left. "
                f"Enter {first} if that is meant, or a step of at most {max(end - first, 1)}."
            )
        return set(range(first, end + 1, step))

    def _read(self, text: str, field: str) -> int:
        if text in self.names:
            return self.names.index(text) + self.lowest
        if re.fullmatch(r"\d{1,2}", text, re.ASCII) and self.lowest <= int(text) <= self.highest:
            return int(text)
        raise self._refuse(field)

    def _refuse(self, text: str) -> CronError:
        return CronError(
            f"The {self.label} {text!r} is not understood. Enter numbers from {self.lowest} to {self.highest}"
            f"{self.hint}, *, ranges (1-5), lists (1,3) or steps (*/2)."
        )

    @staticmethod
    def _describe_range(first: int, end: int) -> str:
        return f"{first}-{end}" if end > first else str(first)


_FIELDS = (
    _Field(label="minute", lowest=0, highest=59, last=59),
    _Field(label="hour", lowest=0, highest=23, last=23),
    _Field(label="day of month", lowest=1, highest=31, last=31),
    _Field(label="month", lowest=1, highest=12, last=12, names=_MONTHS, hint=" or jan to dec"),
    _Field(
        label="day of week",
        lowest=0,
        highest=7,
        last=6,
        names=_WEEKDAYS,
        hint=" (0 and 7 are Sunday) or sun to sat",
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
    every_hour: bool

    def find_next(self, after: datetime, *, zone: ZoneInfo | None = None) -> datetime:
        """Return the first time strictly after `after`, in UTC. Raises CronError if there is none.

        The fields are those of clocks in `zone`, UTC by default.
        """
        # A time that is left out in the evening lies on the next day.
        start = after.astimezone(zone or UTC).date() - (_DAY if zone else timedelta())
        for number in range(_SEARCHED_DAYS):
            for moment in self._list_moments(start + number * _DAY, zone):
                if moment > after:
                    return moment
        raise CronError("No such day ever comes. Change the day of month or the month.")

    def find_last(self, until: datetime, *, zone: ZoneInfo | None = None) -> datetime:
        """Return the last time at or before `until`, in UTC. Raises CronError if there is none."""
        start = until.astimezone(zone or UTC).date()
        for number in range(_SEARCHED_DAYS):
            for moment in reversed(self._list_moments(start - number * _DAY, zone)):
                if moment <= until:
                    return moment
        raise CronError("No such day ever came. Change the day of month or the month.")

    def _list_moments(self, day: date, zone: ZoneInfo | None) -> list[datetime]:
        if not self._allows(day):
            return []
        if zone is None:
            return [datetime.combine(day, at, tzinfo=UTC) for at in self.times]
        if self.every_hour:
            return sorted(moment for at in self.times for moment in list_moments(day=day, time=at, zone=zone))
        return sorted({find_moment(day=day, time=at, zone=zone) for at in self.times})

    def _allows(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week


@lru_cache(maxsize=1024)
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
        every_hour=len(hours) == _HOURS,
    )
    cron.find_next(datetime(2000, 1, 1, tzinfo=UTC))
    return cron
