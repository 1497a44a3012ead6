"""Computes when a job is due, from its definition and a time alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ctms.jobs.choices import Frequency
from ctms.jobs.cron import parse_cron

if TYPE_CHECKING:
    from ctms.jobs.models import JobDefinition


def compute_next_run(*, definition: JobDefinition, after: datetime) -> datetime:
    """Return the first due time strictly after `after` (UTC); due times before it that were missed are not caught up.

    Raises CronError if the definition's cron expression is invalid.
    """
    if definition.frequency == Frequency.CRON:
        return parse_cron(definition.cron).find_next(after)
    slot, step = _find_slot(definition=definition, at=after)
    return slot if slot > after else slot + step


def list_next_runs(*, definition: JobDefinition, after: datetime, count: int) -> list[datetime]:
    """Return the first `count` due times after `after`. Raises CronError as `compute_next_run` does."""
    found: list[datetime] = []
    for _ in range(count):
        found.append(compute_next_run(definition=definition, after=found[-1] if found else after))
    return found


def compute_interval(*, definition: JobDefinition, at: datetime) -> timedelta:
    """Return the time from the last due time at or before `at` to the next one."""
    if definition.frequency != Frequency.CRON:
        return _find_slot(definition=definition, at=at)[1]
    cron = parse_cron(definition.cron)
    return cron.find_next(at) - cron.find_last(at)


def describe_schedule(definition: JobDefinition) -> str:
    """Return the schedule in words, e.g. `Every day at 06:00 UTC`."""
    if definition.frequency == Frequency.CRON:
        return f"Cron {definition.cron} (UTC)"
    if definition.frequency == Frequency.HOURLY:
        return f"Every hour at minute {definition.minute}"
    time = f"{definition.hour:02}:{definition.minute:02} UTC"
    if definition.frequency == Frequency.DAILY:
        return f"Every day at {time}"
    return f"Every {definition.get_weekday_display()} at {time}"


def _find_slot(*, definition: JobDefinition, at: datetime) -> tuple[datetime, timedelta]:
    """Return the due time in the hour, on the day or in the week from `at`, and the time between two due times."""
    if definition.frequency == Frequency.HOURLY:
        return at.replace(minute=definition.minute, second=0, microsecond=0), timedelta(hours=1)
    slot = at.replace(hour=definition.hour, minute=definition.minute, second=0, microsecond=0)
    if definition.frequency == Frequency.DAILY:
        return slot, timedelta(days=1)
    return slot + timedelta(days=(definition.weekday - slot.weekday()) % 7), timedelta(days=7)
