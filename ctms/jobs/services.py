"""Creates job definitions, dispatches due jobs, and executes runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import IntegrityError, transaction

from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.core.errors import VaultError
from ctms.core.outages import find_outage_remedy
from ctms.core.standing import explain_standstill, read_standing
from ctms.jobs.choices import UNFINISHED_STATES, RunState, RunTrigger
from ctms.jobs.dispatching import claim_due_slots, count_from
from ctms.jobs.errors import (
    JobAlreadyRunningError,
    JobHeldError,
    LeaseLostError,
    RunCancelledError,
    WorkerStoppingError,
)
from ctms.jobs.expiring_tokens import notify_expiring_tokens
from ctms.jobs.leases import LeaseHandle, acquire_lease, find_dead_leases
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease, UnitClock
from ctms.jobs.overdue import notify_overdue_jobs
from ctms.jobs.queue import (
    hand_over,
    interrupt_dead_run,
    queue_runs,
    send_stuck_again,
    send_waiting,
    take_over_interrupted,
)
from ctms.jobs.registry import (
    JobHandler,
    JobUnit,
    RunContext,
    RunOutcome,
    find_handler,
    get_handler,
    leaves_the_vault,
    list_handlers,
)
from ctms.jobs.schedules import compute_next_run
from ctms.jobs.stopping import is_stopping

if TYPE_CHECKING:
    from collections.abc import Callable

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
        if known.intersection(handler.replaces):
            with transaction.atomic():
                _take_places(handler=handler, actor=actor)
        elif handler.key not in known:
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


def _take_places(*, handler: JobHandler, actor: Actor) -> None:
    """Let a job take the places of those that it replaces: it has their runs, and is Active if one of them was."""
    replaced = list(JobDefinition.objects.filter(key__in=handler.replaces).order_by("pk"))
    reason = f"{handler.name} takes the place of {' and '.join(each.name for each in replaced)}"
    definition = JobDefinition.objects.filter(key=handler.key).first() or JobDefinition(
        key=handler.key, name=handler.name, frequency=handler.frequency, hour=handler.hour, cron=handler.cron
    )
    if any(each.status == RecordStatus.ACTIVE for each in replaced):
        definition.status = RecordStatus.ACTIVE
    save_record(record=definition, actor=actor, reason=reason)
    for each in replaced:
        each.runs.filter(state__in=UNFINISHED_STATES).update(
            state=RunState.CANCELLED, finished_at=get_database_now(), message=f"{reason}."
        )
        each.runs.update(definition=definition)
        delete_record(record=each, actor=actor, reason=reason)
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
    next_run_at = compute_next_run(schedule=definition, after=now)
    JobClock.objects.update_or_create(
        definition=definition, defaults={"next_run_at": next_run_at, **count_from(now), "notified_at": None}
    )
    UnitClock.objects.filter(definition=definition).delete()  # the next tick starts them anew


def dispatch_due() -> DispatchReport:
    """Take over interrupted runs, send lost messages again, queue runs of due jobs, and notify of overdue jobs.

    Called every minute. Several calls may run at the same time: each step is a conditional update, in which only one
    of them succeeds. Nothing is done while no run may begin; what is due then stays due.
    """
    if not read_standing().may_work:
        return DispatchReport(claimed=0, taken_over=0, sent_again=0)
    report = DispatchReport(
        taken_over=take_over_interrupted(), sent_again=send_stuck_again(), claimed=claim_due_slots()
    )
    try:
        notify_overdue_jobs()
    except Exception:  # due jobs have been dispatched, and the next call notifies of what this one could not
        log.exception("overdue_jobs_not_told")
    try:
        notify_expiring_tokens()
    except Exception:  # as above
        log.exception("expiring_tokens_not_told")
    return report


def start_now(
    *, definition: JobDefinition, user: User | None, trigger: RunTrigger = RunTrigger.START_NOW
) -> list[JobRun]:
    """Queue a run for every unit of a job now, whatever its status and schedule; return the runs.

    Raises JobAlreadyRunningError if every unit is scheduled or running already, and JobHeldError if no run can begin.
    """
    _require_work(definition)
    units = get_handler(definition.key).list_units()
    runs = queue_runs(definition=definition, units=units, slot=get_database_now(), trigger=trigger, user=user)
    if units and not runs:
        raise JobAlreadyRunningError(f"{definition.name} is scheduled or running already; see Job Status.")
    return runs


def start_unit(*, definition: JobDefinition, unit: JobUnit, user: User | None) -> JobRun:
    """Queue a run for one unit of a job now, whatever its status and schedule.

    Raises JobAlreadyRunningError, and JobHeldError if no run can begin.
    """
    _require_work(definition)
    runs = queue_runs(
        definition=definition, units=[unit], slot=get_database_now(), trigger=RunTrigger.START_NOW, user=user
    )
    if not runs:
        raise JobAlreadyRunningError(
            f"{definition.name} for {unit.label} is scheduled or running already; see Job Status."
        )
    return runs[0]


def create_run(
    *,
    definition: JobDefinition,
    unit: JobUnit,
    user: User | None,
    pause: Callable[[], None] | None = None,
    trigger: RunTrigger = RunTrigger.COMMAND,
) -> JobRun:
    """Return a run that a command line or a page executes itself: the unit's queued one, or else a new one.

    A run whose worker is dead is marked Interrupted first. Whether it is dead shows only while one watches, so `pause`
    is called between two looks, until the worker gives a sign of life or is known to be dead: a command with a `pause`
    works without beat. Raises JobAlreadyRunningError if the unit is running already, and JobHeldError if no run can
    begin.
    """
    _require_work(definition)
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
                trigger=trigger,
                requested_by=user,
            )
    except IntegrityError:
        raise JobAlreadyRunningError(
            f"{definition.name} for {unit.label} is running already; see Job Status."
        ) from None


def execute_run(
    run_id: int,
    *,
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    execute: Callable[[RunContext], RunOutcome] | None = None,
) -> JobRun | None:
    """Execute one queued run and return it; None if its message came twice, or if it waits for a run of another job.

    Nor is one executed that cannot begin now: it stays in the queue, from which a tick sends it again.
    `execute` does the work in place of the job's handler, for a page that knows more of it than the run's row.

    Raises the error of an outage (see `ctms.core.outages`) and logs what to do; once ticks have found the run dead,
    another goes on from there.
    """
    if _is_held(run_id):
        return None
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
        outcome = _execute(run=run, lease=lease, execute=execute)
        with transaction.atomic():
            try:
                lease.renew()
            except LeaseLostError:
                log.warning("job_run_lost_its_lease")
                return run
            _finish(run=run, outcome=outcome)
            lease.release()
            if outcome.state == RunState.INTERRUPTED and is_stopping():
                hand_over(run)
        log.info("job_run_finished", state=outcome.state, message=outcome.message)
        _follow_up(run)
    return run


def _require_work(definition: JobDefinition) -> None:
    if why := explain_standstill(leaves=leaves_the_vault(definition.key)):
        raise JobHeldError(f"{definition.name} cannot run now. {why}")


def _is_held(run_id: int) -> bool:
    """Whether a run cannot begin now; the runs that a copy was made with and may not do are cancelled."""
    standing = read_standing()
    if not standing.may_work:
        return True
    run = None if standing.may_send else JobRun.objects.select_related("definition").filter(pk=run_id).first()
    if run is None or not leaves_the_vault(run.definition.key):
        return False
    JobRun.objects.filter(pk=run.pk, state=RunState.QUEUED).update(
        state=RunState.CANCELLED, finished_at=get_database_now(), message=standing.sentence
    )
    return True


def _execute(
    *, run: JobRun, lease: LeaseHandle, execute: Callable[[RunContext], RunOutcome] | None = None
) -> RunOutcome:
    try:
        work = execute or get_handler(run.definition.key).execute
        return work(RunContext(run=run, lease=lease))
    except (RunCancelledError, WorkerStoppingError) as error:
        state = RunState.CANCELLED if isinstance(error, RunCancelledError) else RunState.INTERRUPTED
        return RunOutcome(state=state, message=str(error), result=lease.progress, log=error.log)
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


def _follow_up(run: JobRun) -> None:
    """Wake the runs of other jobs that waited for this one, and let the job look at what came meanwhile.

    It must not fail the run, which has ended: the next tick does what is not done here.
    """
    try:
        send_waiting(run)
        handler = get_handler(run.definition.key)
        if handler.after is not None:
            handler.after(run)
    except Exception:  # the run has ended well; what follows it is done again by the next tick
        log.exception("job_run_not_followed_up")


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
