"""Delivering, dispatching and running jobs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, InterfaceError, OperationalError, transaction

from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.jobs.cancellation import RunCancelledError
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.leases import LeaseHandle, LeaseLostError, acquire_lease
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease
from ctms.jobs.overdue import notify_overdue_jobs
from ctms.jobs.queue import interrupt_dead_run, queue_runs, send_stuck_again, take_over_interrupted
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome, get_handler, list_handlers
from ctms.jobs.schedules import compute_next_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)


class JobAlreadyRunningError(VaultError):
    """Start Now while a run of the same unit is scheduled or running."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchReport:
    """What one tick did."""

    claimed: int
    taken_over: int
    sent_again: int


def deliver_job_definitions(*, actor: Actor) -> None:
    """Add a definition, Inactive, for each registered job that has none."""
    known = set(JobDefinition.objects.values_list("key", flat=True))
    for handler in list_handlers():
        if handler.key not in known:
            definition = JobDefinition(
                key=handler.key, name=handler.name, frequency=handler.frequency, hour=handler.hour
            )
            save_record(record=definition, actor=actor, reason="Delivered with the Vault")


def set_job_status(*, key: str, status: RecordStatus, actor: Actor) -> None:
    """Activate or deactivate a job; an activated one is first due at its next regular time."""
    definition = JobDefinition.objects.get(key=key)
    definition.status = status
    with transaction.atomic():
        save_record(record=definition, actor=actor)
        reset_clock(definition)


def reset_clock(definition: JobDefinition) -> None:
    """Make the job due at the next time of its present schedule; to be called when status or schedule changed.

    Whether it is overdue is judged anew from here on.
    """
    now = get_now()
    next_run_at = compute_next_run(definition=definition, after=now)
    JobClock.objects.update_or_create(
        definition=definition, defaults={"next_run_at": next_run_at, "counted_from": now, "notified_at": None}
    )


def dispatch_due() -> DispatchReport:
    """The tick: take over interrupted runs, send again what was lost on the way, claim what is due, tell of delays.

    Safe to run any number of times at once: each step is a conditional update that one caller wins.
    """
    report = DispatchReport(
        taken_over=take_over_interrupted(), sent_again=send_stuck_again(), claimed=_claim_due_slots()
    )
    try:
        notify_overdue_jobs()
    except Exception:  # what is due has been dispatched, and the next tick tells what this one could not
        log.exception("overdue_jobs_not_told")
    return report


def start_now(
    *, definition: JobDefinition, user: User | None, trigger: RunTrigger = RunTrigger.START_NOW
) -> list[JobRun]:
    """Run every unit of a job at once, whatever its status and schedule.

    Raises JobAlreadyRunningError if every unit is scheduled or running already.
    """
    units = get_handler(definition.key).list_units()
    runs = queue_runs(definition=definition, units=units, slot=get_now(), trigger=trigger, user=user)
    if units and not runs:
        raise JobAlreadyRunningError(f"{definition.name} is scheduled or running already; see Job Status.")
    return runs


def start_unit(*, definition: JobDefinition, unit: JobUnit, user: User | None) -> JobRun:
    """Run one unit of a job at once, whatever the job's status and schedule. Raises JobAlreadyRunningError."""
    runs = queue_runs(definition=definition, units=[unit], slot=get_now(), trigger=RunTrigger.START_NOW, user=user)
    if not runs:
        raise JobAlreadyRunningError(
            f"{definition.name} for {unit.label} is scheduled or running already; see Job Status."
        )
    return runs[0]


def create_run(*, definition: JobDefinition, unit: JobUnit, user: User | None) -> JobRun:
    """The run for a command line to execute itself: the one of the unit that waits already, else a new one.

    A run that died is marked Interrupted first, so that the command needs no beat. Raises JobAlreadyRunningError.
    """
    now = get_now()
    mine = JobRun.objects.filter(definition=definition, unit_key=unit.key)
    try:
        with transaction.atomic():
            for lease in Lease.objects.filter(
                run__in=mine, run__state=RunState.RUNNING, expires_at__lte=now
            ).select_related("run"):
                interrupt_dead_run(lease)
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
    """Run one queued row to its end. A row that is not queued any more is left alone: its message came twice.

    Raises OperationalError or InterfaceError if the database goes away: once the lease has run out, a tick sees to it
    that another run goes on from there.
    """
    with transaction.atomic():
        if not JobRun.objects.filter(pk=run_id, state=RunState.QUEUED).update(
            state=RunState.RUNNING, started_at=get_now()
        ):
            return None
        run = JobRun.objects.select_related("definition").get(pk=run_id)
        lease = acquire_lease(key=_build_lease_key(run), run=run)
        if lease is None:
            _finish(run=run, outcome=_build_skipped())
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
    except (OperationalError, InterfaceError):  # to be continued, as if the worker had died; Failed would be the end
        raise
    except Exception as error:  # a job's fault must end in its history, not in a lost message
        log.exception("job_run_failed")
        return RunOutcome(
            state=RunState.FAILED,
            message=f"An unexpected {type(error).__name__} ended the run; the worker's log has the details.",
            result={},
        )


def _build_skipped() -> RunOutcome:
    return RunOutcome(state=RunState.SKIPPED, message="Another run of the same unit was still at work.", result={})


def _build_lease_key(run: JobRun) -> str:
    return f"{run.definition.key}:{run.unit_key}"


def _finish(*, run: JobRun, outcome: RunOutcome) -> None:
    run.state, run.message, run.result, run.log = outcome.state, outcome.message, outcome.result, outcome.log
    run.finished_at = get_now()
    # Conditional: a run that was taken over meanwhile stays Interrupted.
    JobRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        state=run.state, message=run.message, result=run.result, log=run.log, finished_at=run.finished_at
    )


def _claim_due_slots() -> int:
    now = get_now()
    claimed = 0
    due = JobClock.objects.filter(definition__status=RecordStatus.ACTIVE, next_run_at__lte=now)
    for clock in due.select_related("definition").order_by("next_run_at", "id"):
        definition = clock.definition
        try:
            units = get_handler(definition.key).list_units()
            next_run_at = compute_next_run(definition=definition, after=now)
        except Exception:  # the fault of one job keeps no other from running; its slot stays due
            log.exception("job_units_not_listed", job=definition.key)
            continue
        with transaction.atomic():
            won = JobClock.objects.filter(pk=clock.pk, next_run_at=clock.next_run_at).update(next_run_at=next_run_at)
            if won:
                claimed += 1
                queue_runs(
                    definition=definition,
                    units=units,
                    slot=clock.next_run_at,
                    trigger=RunTrigger.SCHEDULE,
                    user=None,
                )
    return claimed
