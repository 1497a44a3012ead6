"""Dispatching and running jobs. Rows are the queue; a message only says that a row may be looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.db import IntegrityError, transaction
from kombu.exceptions import OperationalError as BrokerError

from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.leases import LeaseHandle, LeaseLostError, acquire_lease
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome, get_handler, list_handlers
from ctms.jobs.schedules import compute_next_run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)

MAX_TAKEOVERS = 5


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
            save_record(
                record=JobDefinition(key=handler.key, name=handler.name), actor=actor, reason="Delivered with the Vault"
            )


def set_job_status(*, key: str, status: RecordStatus, actor: Actor) -> None:
    """Activate or deactivate a job; an activated one is first due at its next regular time."""
    definition = JobDefinition.objects.get(key=key)
    definition.status = status
    with transaction.atomic():
        save_record(record=definition, actor=actor)
        reset_clock(definition)


def reset_clock(definition: JobDefinition) -> None:
    """Make the job due at the next time of its present schedule; to be called when status or schedule changed."""
    JobClock.objects.update_or_create(
        definition=definition, defaults={"next_run_at": compute_next_run(definition=definition, after=get_now())}
    )


def dispatch_due() -> DispatchReport:
    """The tick: take over interrupted runs, send again what was lost on the way, claim what is due.

    Safe to run any number of times at once: each step is a conditional update that one caller wins.
    """
    return DispatchReport(
        taken_over=_take_over_interrupted(), sent_again=_send_stuck_again(), claimed=_claim_due_slots()
    )


def start_now(
    *, definition: JobDefinition, user: User | None, trigger: RunTrigger = RunTrigger.START_NOW
) -> list[JobRun]:
    """Run every unit of a job at once, whatever its status and schedule.

    Raises JobAlreadyRunningError if every unit is scheduled or running already.
    """
    units = get_handler(definition.key).list_units()
    runs = _create_runs(definition=definition, units=units, slot=get_now(), trigger=trigger, user=user)
    if units and not runs:
        raise JobAlreadyRunningError(f"{definition.name} is scheduled or running already; see Job Status.")
    return runs


def create_run(*, definition: JobDefinition, unit: JobUnit, user: User | None) -> JobRun:
    """A run for the command line, which executes it itself. Raises JobAlreadyRunningError."""
    now = get_now()
    try:
        with transaction.atomic():
            return JobRun.objects.create(
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
            f"{definition.name} for {unit.label} is scheduled or running already; see Job Status."
        ) from None


def execute_run(
    run_id: int, *, on_progress: Callable[[dict[str, Any]], None] | None = None
) -> JobRun | None:
    """Run one queued row to its end. A row that is not queued any more is left alone: its message came twice."""
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
    except SoftTimeLimitExceeded:
        return RunOutcome(
            state=RunState.INTERRUPTED,
            message="The run reached its time limit; the next one goes on from here.",
            result={},
        )
    except VaultError as error:
        return RunOutcome(state=RunState.FAILED, message=str(error), result={})
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


def _take_over_interrupted() -> int:
    """Mark runs whose lease ran out as Interrupted, and queue their work anew."""
    taken = 0
    for lease in Lease.objects.filter(run__state=RunState.RUNNING, expires_at__lte=get_now()).select_related("run"):
        dead = lease.run
        if dead is None:
            continue
        with transaction.atomic():
            if not JobRun.objects.filter(pk=dead.pk, state=RunState.RUNNING).update(
                state=RunState.INTERRUPTED,
                finished_at=get_now(),
                result=lease.progress,
                message="The worker stopped in the middle; another run goes on from here.",
            ):
                continue
            if dead.attempt > MAX_TAKEOVERS:
                continue
            successor = JobRun.objects.create(
                definition_id=dead.definition_id,
                unit_key=dead.unit_key,
                unit_label=dead.unit_label,
                slot=dead.slot,
                attempt=dead.attempt + 1,
                trigger=RunTrigger.TAKEOVER,
                requested_by_id=dead.requested_by_id,
                queued_at=get_now(),
            )
            _send_on_commit(successor)
            taken += 1
    return taken


def _send_stuck_again() -> int:
    """Send messages anew for rows that stayed queued: theirs was lost between commit and broker, or with the broker."""
    patience = get_now() - timedelta(seconds=settings.JOB_REQUEUE_SECONDS)
    sent = 0
    for run in JobRun.objects.filter(state=RunState.QUEUED, queued_at__lte=patience).exclude(
        trigger=RunTrigger.COMMAND
    ):
        with transaction.atomic():
            if JobRun.objects.filter(pk=run.pk, state=RunState.QUEUED, queued_at=run.queued_at).update(
                queued_at=get_now()
            ):
                _send_on_commit(run)
                sent += 1
    return sent


def _claim_due_slots() -> int:
    now = get_now()
    claimed = 0
    for clock in JobClock.objects.filter(definition__status=RecordStatus.ACTIVE, next_run_at__lte=now).select_related(
        "definition"
    ):
        with transaction.atomic():
            won = JobClock.objects.filter(pk=clock.pk, next_run_at=clock.next_run_at).update(
                next_run_at=compute_next_run(definition=clock.definition, after=now)
            )
            if won:
                claimed += 1
                _create_runs(
                    definition=clock.definition,
                    units=get_handler(clock.definition.key).list_units(),
                    slot=clock.next_run_at,
                    trigger=RunTrigger.SCHEDULE,
                    user=None,
                )
    return claimed


def _create_runs(
    *, definition: JobDefinition, units: Sequence[JobUnit], slot: datetime, trigger: RunTrigger, user: User | None
) -> list[JobRun]:
    """Queue a run for each unit that has none unfinished; the database refuses a second one."""
    runs = []
    for unit in units:
        try:
            with transaction.atomic():
                run = JobRun.objects.create(
                    definition=definition,
                    unit_key=unit.key,
                    unit_label=unit.label,
                    slot=slot,
                    queued_at=get_now(),
                    trigger=trigger,
                    requested_by=user,
                )
                _send_on_commit(run)
                runs.append(run)
        except IntegrityError:
            log.info("job_run_not_queued_twice", job=definition.key, unit=unit.label)
    return runs


def _send_on_commit(run: JobRun) -> None:
    transaction.on_commit(partial(_send, run.pk))


def _send(run_id: int) -> None:
    from ctms.jobs.tasks import execute_job_run  # noqa: PLC0415  tasks import this module

    try:
        execute_job_run.delay(run_id)
    except (OSError, BrokerError) as error:  # the row stays queued and the next tick sends it again
        log.warning("job_message_not_sent", run=run_id, error=type(error).__name__)
