"""Claims due times of jobs, and of units with a schedule of their own, and queues their runs.

A clock is moved by an update that says what it was: of several dispatches at once, only one queues the runs of a due
time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Max

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.core.standing import read_standing
from ctms.jobs.choices import RunTrigger
from ctms.jobs.models import JobClock, JobRun, UnitClock
from ctms.jobs.queue import queue_runs
from ctms.jobs.registry import JobUnit, get_handler
from ctms.jobs.schedules import compute_next_run, identify_schedule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ctms.jobs.models import JobDefinition

log = structlog.get_logger(__name__)


def claim_due_slots() -> int:
    """Queue the runs of all that is due; return how many due times had units and were claimed."""
    now = get_database_now()
    claimed = 0
    may_send = read_standing().may_send
    clocks = JobClock.objects.filter(definition__status=RecordStatus.ACTIVE)
    for clock in clocks.select_related("definition").order_by("next_run_at", "id"):
        definition = clock.definition
        try:
            next_run_at = compute_next_run(schedule=definition, after=now)
            handler = get_handler(definition.key)
            if handler.leaves and not may_send:
                continue  # it stays due
            is_due = clock.next_run_at <= now
            if not is_due:
                _follow_clock_back(clock=clock, next_run_at=next_run_at, now=now)
            if not is_due and not handler.has_unit_schedules:
                continue
            units = handler.list_units()
            if handler.has_unit_schedules:
                claimed += _claim_own_slots(definition=definition, units=units, now=now)
        except Exception:  # an error of one job must not stop the others; its clock stays due
            log.exception("job_units_not_listed", job=definition.key)
            continue
        if is_due:
            followers = [unit for unit in units if unit.schedule is None]
            claimed += _claim(clock=clock, next_run_at=next_run_at, units=followers)
    return claimed


def count_from(now: datetime) -> dict[str, Any]:
    """Return the values of a clock by which only what happens from now on counts for whether its job is overdue."""
    return {"counted_from": now, "counted_after": JobRun.objects.aggregate(newest=Max("pk"))["newest"] or 0}


def _claim(*, clock: JobClock | UnitClock, next_run_at: datetime, units: Sequence[JobUnit]) -> bool:
    """Move a due clock and queue the runs; False if another dispatch did, or if there are no units."""
    with transaction.atomic():
        same = type(clock)._default_manager.filter(pk=clock.pk, next_run_at=clock.next_run_at)
        if not same.update(next_run_at=next_run_at) or not units:
            return False
        queue_runs(
            definition=clock.definition,
            units=units,
            slot=clock.next_run_at,
            trigger=RunTrigger.SCHEDULE,
            user=None,
        )
        return True


def _claim_own_slots(*, definition: JobDefinition, units: Sequence[JobUnit], now: datetime) -> int:
    """Queue a run for each unit that is due by its own schedule; clocks of units that have none are removed."""
    own = {unit.key: unit for unit in units if unit.schedule is not None}
    clocks = {clock.unit_key: clock for clock in UnitClock.objects.filter(definition=definition)}
    if gone := [clock.pk for key, clock in clocks.items() if key not in own]:
        UnitClock.objects.filter(pk__in=gone).delete()
    claimed = 0
    for key, unit in own.items():
        try:
            claimed += _claim_of_unit(definition=definition, unit=unit, clock=clocks.get(key), now=now)
        except Exception:  # an error of one unit must not stop the others
            log.exception("job_unit_not_dispatched", job=definition.key, unit=key)
    return claimed


def _claim_of_unit(*, definition: JobDefinition, unit: JobUnit, clock: UnitClock | None, now: datetime) -> bool:
    if unit.schedule is None:
        return False
    next_run_at, identity = compute_next_run(schedule=unit.schedule, after=now), identify_schedule(unit.schedule)
    values = {"schedule": identity, "next_run_at": next_run_at}
    if clock is None:
        try:
            with transaction.atomic():
                UnitClock.objects.create(definition=definition, unit_key=unit.key, **values, **count_from(now))
        except IntegrityError:
            log.info("unit_clock_started_elsewhere", job=definition.key, unit=unit.key)
        return False
    same = UnitClock.objects.filter(pk=clock.pk, next_run_at=clock.next_run_at, schedule=clock.schedule)
    if clock.schedule != identity:
        same.update(**values, **count_from(now))
        return False
    if clock.next_run_at > now:
        _follow_clock_back(clock=clock, next_run_at=next_run_at, now=now)
        return False
    clock.definition = definition
    return _claim(clock=clock, next_run_at=next_run_at, units=[unit])


def _follow_clock_back(*, clock: JobClock | UnitClock, next_run_at: datetime, now: datetime) -> None:
    """If a regular time comes before the next one of the clock, the time was set back: make it due at that time."""
    same = type(clock)._default_manager.filter(pk=clock.pk, next_run_at=clock.next_run_at)
    if clock.next_run_at > next_run_at and same.update(next_run_at=next_run_at, **count_from(now)):
        log.warning("job_clock_was_set_back", job=clock.definition.key, next_run_at=next_run_at.isoformat())
