"""Reads overdue jobs, running runs and queued runs for the console and for e-mails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import Min, Q

from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.choices import SUCCESS_STATES, RunState
from ctms.jobs.cron import CronError
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease, UnitClock
from ctms.jobs.newest_runs import UnitKey, find_newest_runs
from ctms.jobs.progress import RunProgress, compute_progress
from ctms.jobs.registry import JobUnit, find_handler, get_handler
from ctms.jobs.schedules import Schedule, compute_interval

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

log = structlog.get_logger(__name__)

GRACE = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class OverdueJob:
    """An Active job with a unit that has not succeeded for longer than the schedule allows; `sentence` says why."""

    definition: JobDefinition
    clock: JobClock
    since: datetime
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Success:
    """When a unit succeeded last: ever, and of the runs that count since the clock began to count (None: of none)."""

    last: datetime
    counted: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningRun:
    """A run at work, its progress, and for how many seconds it has run."""

    run: JobRun
    progress: RunProgress
    seconds: float


def list_overdue_jobs() -> list[OverdueJob]:
    """Return Active jobs whose last success is older than one interval of their schedule plus fifteen minutes.

    Units with a schedule of their own are judged by that. A job without units is not overdue, nor is one before its
    first due time since it was activated or rescheduled. The number of statements does not grow with jobs, units or
    runs; only the jobs' `list_units` may add some.
    """
    now = get_database_now()
    clocks = [
        clock
        for clock in JobClock.objects.filter(definition__status=RecordStatus.ACTIVE)
        .select_related("definition__owner")
        .order_by("definition__name", "pk")
        # A job within its first interval cannot be overdue, and need not be asked for its units.
        if is_due_since(schedule=clock.definition, at=clock.counted_from, now=now) or _has_unit_schedules(clock)
    ]
    units = {clock.definition_id: _list_units(clock.definition) for clock in clocks}
    timers = list_timers(clocks=clocks, units=units)
    successes = _find_last_successes(timers)
    late: dict[UnitKey, datetime] = {}
    for key, timer in timers.items():
        counted = successes[key].counted if key in successes else None
        reference = max(counted or timer.counted_from, timer.counted_from)
        if is_due_since(schedule=timer.schedule, at=reference, now=now):
            late[key] = reference
    missed = _find_missed_slots(late, until=now - GRACE)
    found = []
    for clock in clocks:
        listed = units[clock.definition_id]
        keyed = [((clock.definition_id, unit.key), unit) for unit in listed or ()]
        missing = [unit for key, unit in keyed if key in missed]
        stuck = [key for key, _ in keyed if key in late and timers[key].next_run_at < now - GRACE]
        is_unlisted = (
            listed is None
            and clock.next_run_at < now - GRACE
            and is_due_since(schedule=clock.definition, at=clock.counted_from, now=now)
        )
        if missing or stuck or is_unlisted:
            since = min((timers[key].next_run_at for key in stuck), default=clock.next_run_at)
            found.append(
                _build_overdue(clock=clock, missing=missing, units=listed, successes=successes, stuck_since=since)
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Timer:
    """By what a unit is judged: its schedule, and the values of its clock, or of its job's."""

    schedule: Schedule
    next_run_at: datetime
    counted_from: datetime
    counted_after: int


def list_timers(
    *, clocks: Sequence[JobClock], units: Mapping[int, Sequence[JobUnit] | None]
) -> dict[tuple[int, str], Timer]:
    """Return the timers of units by definition and key. A unit whose own clock has not started yet has none.

    Takes one statement if a unit has a schedule of its own, otherwise none.
    """
    has_own = any(unit.schedule is not None for listed in units.values() for unit in listed or ())
    own = (
        {(each.definition_id, each.unit_key): each for each in UnitClock.objects.filter(definition_id__in=units)}
        if has_own
        else {}
    )
    found = {}
    for clock in clocks:
        for unit in units[clock.definition_id] or ():
            key = (clock.definition_id, unit.key)
            source = clock if unit.schedule is None else own.get(key)
            if source is not None:
                found[key] = Timer(
                    schedule=unit.schedule or clock.definition,
                    next_run_at=source.next_run_at,
                    counted_from=source.counted_from,
                    counted_after=source.counted_after,
                )
    return found


def is_due_since(*, schedule: Schedule, at: datetime, now: datetime) -> bool:
    """Whether more than one interval of the schedule and fifteen minutes have passed between `at` and `now`."""
    try:
        return at + compute_interval(schedule=schedule, at=at) + GRACE < now
    except CronError:
        return False


def list_running_runs() -> list[RunningRun]:
    """Return the runs at work, the longest first, with the progress that their leases hold."""
    now = get_database_now()
    runs = JobRun.objects.filter(state=RunState.RUNNING).select_related(
        "definition", "requested_by", "cancel_requested_by"
    )
    progress = dict(Lease.objects.filter(run__state=RunState.RUNNING).values_list("run_id", "progress"))
    return [
        RunningRun(
            run=run,
            progress=compute_progress(run=run, progress=progress.get(run.pk, {}), now=now),
            seconds=(now - run.started_at).total_seconds() if run.started_at else 0.0,
        )
        for run in runs.order_by("started_at", "id")
    ]


def list_queued_runs() -> list[JobRun]:
    """Return the runs that wait for a worker, the oldest first."""
    return list(
        JobRun.objects.filter(state=RunState.QUEUED).select_related("definition", "requested_by").order_by("id")
    )


def _list_units(definition: JobDefinition) -> list[JobUnit] | None:
    """Return the units of the job; None if listing them fails."""
    try:
        return get_handler(definition.key).list_units()
    except Exception:  # one job's error must not hide the others; its clock stays due, so that it is shown as overdue
        log.exception("job_units_not_listed", job=definition.key)
        return None


def _has_unit_schedules(clock: JobClock) -> bool:
    handler = find_handler(clock.definition.key)
    return handler is not None and handler.has_unit_schedules


def _find_last_successes(wanted: Mapping[UnitKey, Timer]) -> dict[UnitKey, _Success]:
    newest = find_newest_runs(units=wanted, states=SUCCESS_STATES)
    return {
        key: _Success(last=run.at, counted=run.at if run.pk > wanted[key].counted_after else None)
        for key, run in newest.items()
    }


def _find_missed_slots(late: dict[UnitKey, datetime], *, until: datetime) -> dict[UnitKey, datetime]:
    """Return, by unit, the first due time since `late` that has a run without success and lies before `until`."""
    if not late:
        return {}
    condition = Q()
    for (definition_id, unit_key), since in late.items():
        condition |= Q(definition_id=definition_id, unit_key=unit_key, slot__gt=since)
    rows = (
        JobRun.objects.filter(condition)
        .exclude(state__in=SUCCESS_STATES)
        .values_list("definition_id", "unit_key")
        .annotate(first=Min("slot"))
        .order_by()
    )
    return {(definition_id, unit_key): first for definition_id, unit_key, first in rows if first < until}


def _build_overdue(
    *,
    clock: JobClock,
    missing: list[JobUnit],
    units: list[JobUnit] | None,
    successes: dict[UnitKey, _Success],
    stuck_since: datetime,
) -> OverdueJob:
    definition = clock.definition
    if not missing:
        cause = (
            "it cannot say what there is to do; the log of beat has the details"
            if units is None
            else "nobody started it; see that the scheduler (celery beat) runs"
        )
        return OverdueJob(
            definition=definition,
            clock=clock,
            since=stuck_since,
            sentence=f"{definition} was due at {format_time(stuck_since)}, and {cause}.",
        )
    lasts = [successes.get((definition.pk, unit.key)) for unit in missing]
    last = min((success.last for success in lasts if success is not None), default=None) if all(lasts) else None
    labels = ", ".join(unit.label for unit in missing if unit.label)
    whose = f" for {labels}" if labels else ""
    ago = f"since {format_time(last)}" if last is not None else "yet"
    return OverdueJob(
        definition=definition,
        clock=clock,
        since=last or clock.counted_from,
        sentence=f"{definition} has not succeeded{whose} {ago}. See its runs in Job Status, and that a worker runs.",
    )
