"""Computes when a flash report is planned, from its schedule and a time alone. A moment is a time in UTC."""

from __future__ import annotations

import calendar
import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from ctms.core.zones import find_moment, find_zone
from ctms.jobs.choices import Weekday
from ctms.reports.choices import FlashFrequency
from ctms.reports.models import FlashReport

_DAY = dt.timedelta(days=1)
_LAST_DAY = 31
_MOST_COUNTED = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When something is planned: every day, on a weekday, or on a day of the month, or its last if it is shorter."""

    frequency: str
    time: dt.time
    zone: ZoneInfo
    weekday: int = Weekday.MONDAY
    day: int = 1

    def plans(self, day: dt.date) -> bool:
        """Whether something is planned on the day, by the calendar of the zone."""
        if self.frequency == FlashFrequency.WEEKLY:
            return day.weekday() == self.weekday
        if self.frequency == FlashFrequency.MONTHLY:
            return day.day == min(self.day, calendar.monthrange(day.year, day.month)[1])
        return True


def read_schedule(flash: FlashReport) -> Schedule:
    """Return the schedule of a flash report. A zone that is not known on this machine (any more) is taken for UTC."""
    return Schedule(
        frequency=flash.frequency,
        time=flash.time,
        zone=find_zone(flash.time_zone),
        weekday=flash.weekday,
        day=flash.day,
    )


def find_next(*, schedule: Schedule, after: dt.datetime) -> dt.datetime:
    """Return the first planned moment after a time."""
    return next(iterate_moments(schedule=schedule, after=after))


def list_next(*, schedule: Schedule, after: dt.datetime, count: int) -> list[dt.datetime]:
    """Return the first planned moments after a time."""
    moments = iterate_moments(schedule=schedule, after=after)
    return [next(moments) for _ in range(count)]


def find_last(*, schedule: Schedule, until: dt.datetime) -> dt.datetime:
    """Return the last planned moment that is not after a time."""
    # A moment can lie on the day after the planned one, where the clocks leave out its evening.
    day = until.astimezone(schedule.zone).date() + _DAY
    while True:
        if schedule.plans(day):
            moment = find_moment(day=day, time=schedule.time, zone=schedule.zone)
            if moment <= until:
                return moment
        day -= _DAY


def iterate_moments(*, schedule: Schedule, after: dt.datetime) -> Iterator[dt.datetime]:
    """Yield the planned moments after a time, each once."""
    day = after.astimezone(schedule.zone).date() - _DAY
    last = after
    while True:
        if schedule.plans(day):
            moment = find_moment(day=day, time=schedule.time, zone=schedule.zone)
            if moment > last:
                yield moment
                last = moment
        day += _DAY


def count_between(*, schedule: Schedule, after: dt.datetime, before: dt.datetime) -> int:
    """Return the number of planned moments between two times, at most 1,000."""
    count = 0
    for moment in iterate_moments(schedule=schedule, after=after):
        if moment >= before or count == _MOST_COUNTED:
            break
        count += 1
    return count


def describe_schedule(flash: FlashReport) -> str:
    """Return the schedule in words, such as `Every Monday at 06:00 (Europe/Paris)`."""
    at = f"at {flash.time:%H:%M} ({flash.time_zone.replace('_', ' ')})"
    if flash.frequency == FlashFrequency.WEEKLY:
        return f"Every {Weekday(flash.weekday).label} {at}"
    if flash.frequency == FlashFrequency.MONTHLY:
        when = "the last day" if flash.day == _LAST_DAY else f"day {flash.day}"
        return f"On {when} of every month {at}"
    return f"Every day {at}"
