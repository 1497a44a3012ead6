"""Creates job definitions, dispatches due jobs, and executes runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction
from django.db.models import Max

from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.core.errors import VaultError
from ctms.core.outages import find_outage_remedy
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError, LeaseLostError, RunCancelledError
from ctms.jobs.leases import LeaseHandle, acquire_lease, find_dead_leases
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease
from ctms.jobs.overdue import notify_overdue_jobs
from ctms.jobs.queue import interrupt_dead_run, queue_runs, send_stuck_again, take_over_interrupted
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome, find_handler, get_handler, list_handlers
from ctms.jobs.schedules import compute_next_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """How many jobs with work one call of `dispatch_due` claimed, runs it took over, and messages it sent again."""

    claimed: int
    taken_over: int
    sent_again: int


def deliver_job_definitions(*, actor: Actor) -> None:
    """Create a definition for each registered job that has none, Inactive unless the job says otherwise."""
    known = set(JobDefinition.objects.values_list("key", flat=True))
    for handler in list_handlers():
        if handler.key not in known:
            definition = JobDefinition(
                key=handler.key,
                name=handler.name,
                status=RecordStatus.ACTIVE if handler.is_active else RecordStatus.INACTIVE,
                frequency=handler.frequency,
                hour=handler.hour,
                cron=handler.cron,
            )
            with transaction.atomic():
                save_record(record=definition, actor=actor, reason="Delivered with the Vault")
                if handler.is_active:
                    reset_clock(definition)


def set_job_status(*, key: str, status: RecordStatus, actor: Actor) -> None:
    """Activate or deactivate a job; an activated job is first due at the next time of its schedule."""
    definition = JobDefinition.objects.get(key=key)
    definition.status = status
    with transaction.atomic():
        save_record(record=definition, actor=actor)
        reset_clock(definition)


def reset_clock(definition: JobDefinition) -> None:
    """Make the job due at the next time of its schedule. Call it when status or schedule has changed.

    From then on, only later due times count for whether the job is overdue.
    """
    now = get_database_now()
    next_run_at = compute_next_run(definition=definition, after=now)
    JobClock.objects.update_or_create(
        definition=definition, defaults={"next_run_at": next_run_at, **_count_from(now), "notified_at": None}
    )


def dispatch_due() -> DispatchReport:
    """Take over interrupted runs, send lost messages again, queue runs of due jobs, and notify of overdue jobs.

    Called every minute. Several calls may run at the same time: each step is a conditional update, in which only one
    of them succeeds.
    """
    report = DispatchReport(
        taken_over=take_over_interrupted(), sent_again=send_stuck_again(), claimed=_claim_due_slots()
    )
    try:
        notify_overdue_jobs()
    except Exception:  # due jobs have been dispatched, and the next call notifies of what this one could not
        log.exception("overdue_jobs_not_told")
    return report


def start_now(
    *, definition: JobDefinition, user: User | None, trigger: RunTrigger = RunTrigger.START_NOW
) -> list[JobRun]:
    """Queue a run for every unit of a job now, whatever its status and schedule; return the runs.

    Raises JobAlreadyRunningError if every unit is scheduled or running already.
    """
    units = get_handler(definition.key).list_units()
    runs = queue_runs(definition=definition, units=units, slot=get_database_now(), trigger=trigger, user=user)
    if units and not runs:
        raise JobAlreadyRunningError(f"{definition.name} is scheduled or running already; see Job Status.")
    return runs


def start_unit(*, definition: JobDefinition, unit: JobUnit, user: User | None) -> JobRun:
    """Queue a run for one unit of a job now, whatever its status and schedule. Raises JobAlreadyRunningError."""
    runs = queue_runs(
        definition=definition, units=[unit], slot=get_database_now(), trigger=RunTrigger.START_NOW, user=user
    )
    if not runs:
        raise JobAlreadyRunningError(
            f"{definition.name} for {unit.label} is scheduled or running already; see Job Status."
        )
    return runs[0]


def create_run(
    *, definition: JobDefinition, unit: JobUnit, user: User | None, pause: Callable[[], None] | None = None
) -> JobRun:
    """Return a run that a command line executes itself: the unit's queued one, or else a new one.

    A run whose worker is dead is marked Interrupted first. Whether it is dead shows only while one watches, so `pause`
    is called between two looks, until the worker gives a sign of life or is known to be dead: a command with a `pause`
    works without beat. Raises JobAlreadyRunningError if the unit is running already.
    """
    mine = JobRun.objects.filter(definition=definition, unit_key=unit.key)
    key = _build_lease_key(JobRun(definition=definition, unit_key=unit.key))
    leases = Lease.objects.filter(key=key, run__state=RunState.RUNNING)
    silence = 0.0
    while True:
        for lease in find_dead_leases(leases):
            interrupt_dead_run(lease)
        watched = leases.first()
        if pause is None or watched is None or watched.observed_at is None or watched.silent_seconds < silence:
            break
        silence = watched.silent_seconds
        pause()
    try:
        with transaction.atomic():
            now = get_database_now()
            return mine.filter(state=RunState.QUEUED).first() or JobRun.objects.create(
                definition=definition,
                unit_key=unit.key,
                unit_label=unit.label,
                slot=now,
                queued_at=now,
                trigger=RunTrigger.COMMAND,
                requested_by=user,
            )
    except IntegrityError:
        raise JobAlreadyRunningError(
            f"{definition.name} for {unit.label} is running already; see Job Status."
        ) from None


def execute_run(run_id: int, *, on_progress: Callable[[dict[str, Any]], None] | None = None) -> JobRun | None:
    """Execute one queued run and return it; None if its message came twice, or if it waits for a run of another job.

    Raises the error of an outage (see `ctms.core.outages`) and logs what to do; once ticks have found the run dead,
    another goes on from there.
    """
    with transaction.atomic():
        if not JobRun.objects.filter(pk=run_id, state=RunState.QUEUED).update(
            state=RunState.RUNNING, started_at=get_database_now()
        ):
            return None
        run = JobRun.objects.select_related("definition").get(pk=run_id)
        lease = None if _is_held_by_another_job(run) else acquire_lease(key=_build_lease_key(run), run=run)
        if lease is None and _is_held_by_another_job(run):
            # The run stays in the queue, from which it is sent again.
            JobRun.objects.filter(pk=run.pk).update(
                state=RunState.QUEUED, started_at=None, queued_at=get_database_now()
            )
            return None
        if lease is None:
            _finish(run=run, outcome=_build_skipped(_build_lease_key(run)))
            return run
    lease.listener = on_progress
    with structlog.contextvars.bound_contextvars(job=run.definition.key, run=run.pk, unit=run.unit_label):
        outcome = _execute(run=run, lease=lease)
        with transaction.atomic():
            try:
                lease.renew()
            except LeaseLostError:
                log.warning("job_run_lost_its_lease")
                return run
            _finish(run=run, outcome=outcome)
            lease.release()
        log.info("job_run_finished", state=outcome.state, message=outcome.message)
    return run


def _execute(*, run: JobRun, lease: LeaseHandle) -> RunOutcome:
    try:
        return get_handler(run.definition.key).execute(RunContext(run=run, lease=lease))
    except LeaseLostError as error:
        return RunOutcome(state=RunState.INTERRUPTED, message=str(error), result={})
    except RunCancelledError as error:
        return RunOutcome(state=RunState.CANCELLED, message=str(error), result=lease.progress, log=error.log)
    except SoftTimeLimitExceeded:
        return RunOutcome(
            state=RunState.INTERRUPTED,
            message="The run reached its time limit; the next one goes on from here.",
            result={},
        )
    except VaultError as error:
        return RunOutcome(state=RunState.FAILED, message=str(error), result={})
    except Exception as error:  # the error must be seen in the job's history, not only in the worker's log
        if remedy := find_outage_remedy(error):  # another run goes on, as after a dead worker; Failed would be final
            log.exception("job_run_left_for_takeover", remedy=remedy)
            raise
        log.exception("job_run_failed")
        return RunOutcome(
            state=RunState.FAILED,
            message=f"An unexpected {type(error).__name__} ended the run; the worker's log has the details.",
            result={},
        )


def _build_skipped(key: str) -> RunOutcome:
    lease = Lease.objects.select_related("run__definition").get(key=key)
    holder = "A page of the Vault" if lease.run is None else f"Run {lease.run_id} ({lease.run})"
    message = f"{holder} was at work on the same. The next run does what it leaves undone."
    if lease.silent_seconds:
        message += f" It gave no sign of life for {lease.silent_seconds:.0f} seconds; if it is dead, ticks notice it."
    return RunOutcome(state=RunState.SKIPPED, message=message, result={})


def _build_lease_key(run: JobRun) -> str:
    handler = find_handler(run.definition.key)
    return f"{(handler and handler.lease_name) or run.definition.key}:{run.unit_key}"


def _is_held_by_another_job(run: JobRun) -> bool:
    """Whether a run of another job works on the unit, or died there and is still to be taken over."""
    holders = Lease.objects.filter(key=_build_lease_key(run), run__isnull=False)
    return holders.exclude(run__definition=run.definition_id).exists()


def _finish(*, run: JobRun, outcome: RunOutcome) -> None:
    run.state, run.message, run.result, run.log = outcome.state, outcome.message, outcome.result, outcome.log
    run.finished_at = get_database_now()
    # Only if it is still Running: a run that was taken over meanwhile stays Interrupted.
    JobRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        state=run.state, message=run.message, result=run.result, log=run.log, finished_at=run.finished_at
    )


def _claim_due_slots() -> int:
    now = get_database_now()
    claimed = 0
    clocks = JobClock.objects.filter(definition__status=RecordStatus.ACTIVE)
    for clock in clocks.select_related("definition").order_by("next_run_at", "id"):
        definition = clock.definition
        try:
            next_run_at = compute_next_run(definition=definition, after=now)
            if clock.next_run_at > now:
                _follow_clock_back(clock=clock, next_run_at=next_run_at, now=now)
                continue
            units = get_handler(definition.key).list_units()
        except Exception:  # an error of one job must not stop the others; its clock stays due
            log.exception("job_units_not_listed", job=definition.key)
            continue
        with transaction.atomic():
            won = JobClock.objects.filter(pk=clock.pk, next_run_at=clock.next_run_at).update(next_run_at=next_run_at)
            if won and units:
                claimed += 1
                queue_runs(
                    definition=definition,
                    units=units,
                    slot=clock.next_run_at,
                    trigger=RunTrigger.SCHEDULE,
                    user=None,
                )
    return claimed


def _follow_clock_back(*, clock: JobClock, next_run_at: datetime, now: datetime) -> None:
    """If a regular time comes before the job's next one, the clock was set back: make the job due at that time."""
    if clock.next_run_at > next_run_at and JobClock.objects.filter(pk=clock.pk, next_run_at=clock.next_run_at).update(
        next_run_at=next_run_at, **_count_from(now)
    ):
        log.warning("job_clock_was_set_back", job=clock.definition.key, next_run_at=next_run_at.isoformat())


def _count_from(now: datetime) -> dict[str, Any]:
    """Return the values of a clock by which only what happens from now on counts for whether its job is overdue."""
    return {"counted_from": now, "counted_after": JobRun.objects.aggregate(newest=Max("pk"))["newest"] or 0}
