"""Computes when something is due, from its schedule and a time alone. Due times are in UTC.

The fields of a schedule are those of clocks in its time zone. A time that these leave out when they are set forward is
due at the next that they show; one that they show twice is due once, at the first. Hourly schedules have neither.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from ctms.core.clock import write_moment
from ctms.core.zones import find_moment, find_zone, list_moments
from ctms.jobs.choices import Frequency, Weekday
from ctms.jobs.cron import parse_cron

if TYPE_CHECKING:
    from collections.abc import Iterator
    from zoneinfo import ZoneInfo

_DAY, _HOUR = timedelta(days=1), timedelta(hours=1)


class Schedule(Protocol):
    """What a schedule consists of: a JobDefinition, or the schedule of one of its units."""

    frequency: str
    minute: int
    hour: int
    weekday: int
    cron: str
    time_zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """A due time: `local` is what clocks of the schedule's zone show then, `note` what daylight saving does to it."""

    at: datetime
    local: str
    note: str = ""


def compute_next_run(*, schedule: Schedule, after: datetime) -> datetime:
    """Return the first due time strictly after `after`; due times before it that were missed are not caught up.

    Raises CronError if the cron expression is invalid.
    """
    zone = find_zone(schedule.time_zone)
    if schedule.frequency == Frequency.CRON:
        return parse_cron(schedule.cron).find_next(after, zone=_or_utc(zone))
    if schedule.frequency == Frequency.HOURLY:
        slot = _find_hour(schedule=schedule, at=after, zone=zone)
        return slot if slot > after else slot + _HOUR
    start = after.astimezone(zone).date() - _DAY
    return next(moment for moment in _iterate_days(schedule, start=start, step=1, zone=zone) if moment > after)


def compute_last_run(*, schedule: Schedule, until: datetime) -> datetime:
    """Return the last due time at or before `until`. Raises CronError as `compute_next_run` does."""
    zone = find_zone(schedule.time_zone)
    if schedule.frequency == Frequency.CRON:
        return parse_cron(schedule.cron).find_last(until, zone=_or_utc(zone))
    if schedule.frequency == Frequency.HOURLY:
        slot = _find_hour(schedule=schedule, at=until, zone=zone)
        return slot if slot <= until else slot - _HOUR
    start = until.astimezone(zone).date() + _DAY
    return next(moment for moment in _iterate_days(schedule, start=start, step=-1, zone=zone) if moment <= until)


def list_next_runs(*, schedule: Schedule, after: datetime, count: int) -> list[datetime]:
    """Return the first `count` due times after `after`. Raises CronError as `compute_next_run` does."""
    found: list[datetime] = []
    for _ in range(count):
        found.append(compute_next_run(schedule=schedule, after=found[-1] if found else after))
    return found


def list_planned_runs(*, schedule: Schedule, after: datetime, count: int) -> list[PlannedRun]:
    """Return the first `count` due times after `after` as they are shown. Raises CronError."""
    zone = find_zone(schedule.time_zone)
    moments = list_next_runs(schedule=schedule, after=after, count=count)
    return [PlannedRun(at=at, local=format_local(at, zone), note=_explain_clocks(schedule, at, zone)) for at in moments]


def compute_interval(*, schedule: Schedule, at: datetime) -> timedelta:
    """Return the time from the last due time at or before `at` to the next one. Raises CronError."""
    return compute_next_run(schedule=schedule, after=at) - compute_last_run(schedule=schedule, until=at)


def describe_schedule(schedule: Schedule) -> str:
    """Return the schedule in words, e.g. `Every day at 06:00 UTC`, or `… at 06:00 (Europe/Paris)`."""
    is_utc = schedule.time_zone in ("", "UTC")
    zone = "UTC" if is_utc else f"({schedule.time_zone.replace('_', ' ')})"
    if schedule.frequency == Frequency.CRON:
        return f"Cron {schedule.cron} ({schedule.time_zone.replace('_', ' ') or 'UTC'})"
    if schedule.frequency == Frequency.HOURLY:
        return f"Every hour at minute {schedule.minute}" + ("" if is_utc else f" {zone}")
    time = f"{schedule.hour:02}:{schedule.minute:02} {zone}"
    if schedule.frequency == Frequency.DAILY:
        return f"Every day at {time}"
    return f"Every {Weekday(schedule.weekday).label} at {time}"


def identify_schedule(schedule: Schedule) -> str:
    """Return a text that is equal for schedules with the same due times, as far as their fields tell."""
    parts: list[object] = [schedule.frequency, schedule.time_zone or "UTC"]
    if schedule.frequency == Frequency.CRON:
        parts.append(schedule.cron)
    else:
        parts += [schedule.minute, schedule.hour, schedule.weekday]
    return "|".join(str(part) for part in parts)


def format_local(moment: datetime, zone: ZoneInfo) -> str:
    """Return a time as clocks of the zone show it, with the offset, e.g. `Sun 25 Oct 2026, 02:30 CEST (UTC+2)`."""
    local = moment.astimezone(zone)
    said = f"{local:%a} {write_moment(local)}"
    offset = local.utcoffset() or timedelta()
    if not offset:
        return f"{said} UTC" if zone.key == "UTC" else f"{said} {local:%Z} (UTC)"
    sign, minutes = ("+", offset) if offset > timedelta() else ("-", -offset)
    hours, rest = divmod(minutes // timedelta(minutes=1), 60)
    name = f"{local:%Z} " if f"{local:%Z}".isalpha() else ""
    return f"{said} {name}(UTC{sign}{hours}{f':{rest:02}' if rest else ''})"


def _find_hour(*, schedule: Schedule, at: datetime, zone: ZoneInfo) -> datetime:
    """Return the due time in the hour from which `at` is; by the zone's minutes, where it is off by half an hour."""
    offset = at.astimezone(zone).utcoffset() or timedelta()
    minute = (schedule.minute - offset // timedelta(minutes=1)) % 60
    return at.astimezone(UTC).replace(minute=minute, second=0, microsecond=0)


def _iterate_days(schedule: Schedule, *, start: dt.date, step: int, zone: ZoneInfo) -> Iterator[datetime]:
    day, time = start, dt.time(schedule.hour, schedule.minute)
    while True:
        if schedule.frequency != Frequency.WEEKLY or day.weekday() == schedule.weekday:
            yield find_moment(day=day, time=time, zone=zone)
        day += step * _DAY


def _explain_clocks(schedule: Schedule, at: datetime, zone: ZoneInfo) -> str:
    """Say that clocks are set between this due time and the one before, if they are, and what becomes of it."""
    local = at.astimezone(zone)
    if schedule.frequency != Frequency.HOURLY:
        if _is_left_out(schedule, at, zone):
            return "Clocks are set forward: the time itself is left out on that day, so it runs as they are set."
        twice = list_moments(day=local.date(), time=local.time(), zone=zone)
        if len(twice) > 1 and at == twice[0] and not _runs_in_every_hour(schedule):
            return "Clocks are set back: they show this time twice, and it runs once, the first time."
    before = compute_last_run(schedule=schedule, until=at - timedelta(microseconds=1)).astimezone(zone)
    if before.utcoffset() != local.utcoffset():
        forward = (local.utcoffset() or timedelta()) > (before.utcoffset() or timedelta())
        return f"The first after clocks are set {'forward' if forward else 'back'}."
    return ""


def _is_left_out(schedule: Schedule, at: datetime, zone: ZoneInfo) -> bool:
    """Whether the due time stands for one that clocks leave out: they are set forward at that very moment."""
    before = (at - timedelta(seconds=1)).astimezone(zone).utcoffset() or timedelta()
    local = at.astimezone(zone)
    if (local.utcoffset() or timedelta()) <= before or _runs_in_every_hour(schedule):
        return False
    if schedule.frequency == Frequency.CRON:
        return (local.time().replace(second=0, microsecond=0)) not in parse_cron(schedule.cron).times
    return (local.hour, local.minute) != (schedule.hour, schedule.minute)


def _runs_in_every_hour(schedule: Schedule) -> bool:
    return schedule.frequency == Frequency.CRON and parse_cron(schedule.cron).every_hour


def _or_utc(zone: ZoneInfo) -> ZoneInfo | None:
    return None if zone.key == "UTC" else zone
