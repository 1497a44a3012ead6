"""Reads overdue jobs, running runs and queued runs for the console and for e-mails."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog
from django.db.models import F, Max, Min, Q

from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.choices import SUCCESS_STATES, RunState
from ctms.jobs.cron import CronError
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease
from ctms.jobs.progress import RunProgress, compute_progress
from ctms.jobs.registry import JobUnit, get_handler
from ctms.jobs.schedules import compute_interval

if TYPE_CHECKING:
    from collections.abc import Iterable

log = structlog.get_logger(__name__)

GRACE = timedelta(minutes=15)

_UnitKey = tuple[int, str]


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

    A job without units is not overdue, nor is one before its first due time since it was activated or rescheduled. The
    number of statements does not grow with jobs, units or runs; only the jobs' `list_units` may add some.
    """
    now = get_database_now()
    clocks = [
        clock
        for clock in JobClock.objects.filter(definition__status=RecordStatus.ACTIVE)
        .select_related("definition__owner")
        .order_by("definition__name", "pk")
        # A job within its first interval cannot be overdue, and need not be asked for its units.
        if _is_due_since(clock=clock, at=clock.counted_from, now=now)
    ]
    units = {clock.definition_id: _list_units(clock.definition) for clock in clocks}
    successes = _find_last_successes(
        [(definition_id, unit.key) for definition_id, listed in units.items() for unit in listed or ()]
    )
    late: dict[_UnitKey, datetime] = {}
    for clock in clocks:
        for unit in units[clock.definition_id] or ():
            key = (clock.definition_id, unit.key)
            counted = successes[key].counted if key in successes else None
            reference = max(counted or clock.counted_from, clock.counted_from)
            if _is_due_since(clock=clock, at=reference, now=now):
                late[key] = reference
    missed = _find_missed_slots(late, until=now - GRACE)
    found = []
    for clock in clocks:
        listed = units[clock.definition_id]
        missing = [unit for unit in listed or () if (clock.definition_id, unit.key) in missed]
        is_stuck = clock.next_run_at < now - GRACE and (
            listed is None or any((clock.definition_id, unit.key) in late for unit in listed)
        )
        if missing or is_stuck:
            found.append(_build_overdue(clock=clock, missing=missing, units=listed, successes=successes))
    return found


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


def _is_due_since(*, clock: JobClock, at: datetime, now: datetime) -> bool:
    try:
        return at + compute_interval(definition=clock.definition, at=at) + GRACE < now
    except CronError:
        return False


def _find_last_successes(keys: Iterable[_UnitKey]) -> dict[_UnitKey, _Success]:
    wanted = set(keys)
    rows = (
        JobRun.objects.filter(
            definition_id__in={definition_id for definition_id, _ in wanted},
            unit_key__in={unit_key for _, unit_key in wanted},
            state__in=SUCCESS_STATES,
            finished_at__isnull=False,
        )
        .values_list("definition_id", "unit_key")
        .annotate(
            last=Max("finished_at"),
            counted=Max("finished_at", filter=Q(pk__gt=F("definition__clock__counted_after"))),
        )
        .order_by()
    )
    return {
        (definition_id, unit_key): _Success(last=last, counted=counted)
        for definition_id, unit_key, last, counted in rows
        if (definition_id, unit_key) in wanted
    }


def _find_missed_slots(late: dict[_UnitKey, datetime], *, until: datetime) -> dict[_UnitKey, datetime]:
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
    *, clock: JobClock, missing: list[JobUnit], units: list[JobUnit] | None, successes: dict[_UnitKey, _Success]
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
            since=clock.next_run_at,
            sentence=f"{definition} was due at {format_time(clock.next_run_at)}, and {cause}.",
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
