"""What runs next by schedule: Active jobs, and units of theirs that have schedules of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.jobs.cron import CronError
from ctms.jobs.models import JobClock, JobDefinition, UnitClock
from ctms.jobs.registry import find_handler
from ctms.jobs.schedules import compute_next_run, describe_schedule, identify_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ctms.jobs.registry import JobHandler

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRun:
    """When a job, or the unit of it with this label, runs next; `schedule` says by which schedule, in words."""

    definition: JobDefinition
    unit_label: str
    next_run_at: datetime
    schedule: str


def list_planned_runs() -> list[PlannedRun]:
    """Return the next due time of every Active job and of every unit with a schedule of its own, the next one first.

    A schedule that cannot be read is left out here: the dispatch logs it, and the job is told to be overdue.
    """
    planned = []
    clocks = JobClock.objects.filter(definition__status=RecordStatus.ACTIVE).select_related("definition")
    for clock in clocks.order_by("pk"):
        definition = clock.definition
        planned.append(
            PlannedRun(
                definition=definition,
                unit_label="",
                next_run_at=clock.next_run_at,
                schedule=describe_schedule(definition),
            )
        )
        handler = find_handler(definition.key)
        if handler is not None and handler.has_unit_schedules:
            planned.extend(_list_units(definition=definition, handler=handler))
    return sorted(planned, key=lambda each: (each.next_run_at, each.definition.pk, each.unit_label))


def _list_units(*, definition: JobDefinition, handler: JobHandler) -> Iterator[PlannedRun]:
    now = get_database_now()
    clocks = {clock.unit_key: clock for clock in UnitClock.objects.filter(definition=definition)}
    for unit in handler.list_units():
        if unit.schedule is None:
            continue
        clock = clocks.get(unit.key)
        try:
            # Of a schedule that was just changed, the next tick starts the clock anew.
            is_current = clock is not None and clock.schedule == identify_schedule(unit.schedule)
            next_run_at = (
                clock.next_run_at if clock and is_current else compute_next_run(schedule=unit.schedule, after=now)
            )
            words = describe_schedule(unit.schedule)
        except CronError as error:
            log.warning("unit_schedule_not_shown", job=definition.key, unit=unit.label, error=type(error).__name__)
            continue
        yield PlannedRun(definition=definition, unit_label=unit.label, next_run_at=next_run_at, schedule=words)
