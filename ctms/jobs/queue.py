"""The queue of runs. The database rows are the queue; a message only names a row, and may be lost or come twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from celery import current_app
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q
from kombu.exceptions import KombuError

from ctms.core.clock import get_database_now
from ctms.jobs.cancellation import abandon_unit
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.leases import fence_dead, find_dead_leases
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.registry import find_queue, list_jobs_of_lease

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ctms.accounts.models import User
    from ctms.jobs.registry import JobUnit

log = structlog.get_logger(__name__)

MAX_TAKEOVERS = 5
# A page that sends a message answers within seconds although Redis hangs; workers and beat wait for it.
IMPATIENT = {"socket_timeout": 1.5, "socket_connect_timeout": 1.5, "max_retries": 0}
EXECUTE_RUN = "jobs.execute_run"  # name of the task in ctms.jobs.tasks that executes a run


def queue_runs(
    *, definition: JobDefinition, units: Sequence[JobUnit], slot: datetime, trigger: RunTrigger, user: User | None
) -> list[JobRun]:
    """Queue and return a run for each unit without an unfinished one; a database constraint refuses a second."""
    runs = []
    for unit in units:
        try:
            with transaction.atomic():
                run = JobRun.objects.create(
                    definition=definition,
                    unit_key=unit.key,
                    unit_label=unit.label,
                    slot=slot,
                    queued_at=get_database_now(),
                    trigger=trigger,
                    requested_by=user,
                )
                runs.append(run)
        except IntegrityError:
            log.info("job_run_not_queued_twice", job=definition.key, unit=unit.label)
    _send_on_commit(runs)
    return runs


def take_over_interrupted() -> int:
    """Mark runs whose worker is dead as Interrupted and queue a successor of each; return how many were queued."""
    taken = 0
    for lease in find_dead_leases(Lease.objects.all()):
        with transaction.atomic():
            if not interrupt_dead_run(lease) or lease.run is None or lease.run.attempt > MAX_TAKEOVERS:
                continue
            _queue_successor(lease.run, attempt=lease.run.attempt + 1)
            taken += 1
    return taken


def hand_over(run: JobRun) -> None:
    """Queue a run that goes on where this one ended because its worker was stopped.

    Call it in the transaction that ends the run. It is no further attempt: nothing went wrong.
    """
    _queue_successor(run, attempt=run.attempt)


def _queue_successor(run: JobRun, *, attempt: int) -> None:
    successor = JobRun.objects.create(
        definition_id=run.definition_id,
        unit_key=run.unit_key,
        unit_label=run.unit_label,
        slot=run.slot,
        attempt=attempt,
        trigger=RunTrigger.TAKEOVER,
        requested_by_id=run.requested_by_id,
        queued_at=get_database_now(),
    )
    _send_on_commit([successor])


def interrupt_dead_run(lease: Lease) -> bool:
    """Mark the run of a lease whose holder is dead as Interrupted; True if another run should go on with its work.

    False if the holder renewed the lease meanwhile or ended, or was no run, or if the run was cancelled, in which case
    it becomes Cancelled. The holder is fenced in the same transaction.
    """
    with transaction.atomic():
        if not fence_dead(lease) or lease.run is None:
            return False
        now = get_database_now()
        goes_on = (
            "another run goes on from here"
            if lease.run.attempt <= MAX_TAKEOVERS
            else (f"so did {MAX_TAKEOVERS} runs before, so that only the next regular one goes on from here")
        )
        unfinished = JobRun.objects.filter(pk=lease.run.pk, state=RunState.RUNNING)
        ended = unfinished.filter(cancel_requested_at__isnull=True).update(
            state=RunState.INTERRUPTED,
            finished_at=now,
            result=lease.progress,
            message=f"The worker stopped in the middle; {goes_on}.",
        )
        if not ended:
            _end_cancelled(lease=lease, run_id=lease.run.pk, now=now)
        return bool(ended)


def _end_cancelled(*, lease: Lease, run_id: int, now: datetime) -> None:
    """Mark a run as Cancelled whose worker died after the cancellation and before it noticed."""
    run = JobRun.objects.select_related("definition", "cancel_requested_by").get(pk=run_id)
    message = f"{run.describe_cancellation()} Its worker had stopped in the middle."
    if JobRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        state=RunState.CANCELLED, finished_at=now, result=lease.progress, message=message
    ):
        abandon_unit(run=run, message=message)


def send_stuck_again() -> int:
    """Send the message of each row that stayed queued too long once more; return how many were sent.

    The first one was lost on the way to the broker or with it, or the command died that was to execute the run itself.
    """
    now, patience = get_database_now(), timedelta(seconds=settings.JOB_REQUEUE_SECONDS)
    # A row of the future was queued before the clock was set back.
    stuck = Q(queued_at__lte=now - patience) | Q(queued_at__gte=now + patience)
    sent = 0
    for run in JobRun.objects.filter(stuck, state=RunState.QUEUED).order_by("id"):
        with transaction.atomic():
            if JobRun.objects.filter(pk=run.pk, state=RunState.QUEUED, queued_at=run.queued_at).update(
                queued_at=get_database_now()
            ):
                _send_on_commit([run])
                sent += 1
    return sent


def send_waiting(run: JobRun) -> None:
    """Send the messages of runs of other jobs that wait for the lease which this run had: it is free now."""
    keys = list_jobs_of_lease(run.definition.key)
    if len(keys) > 1:
        waiting = JobRun.objects.filter(definition__key__in=keys, unit_key=run.unit_key, state=RunState.QUEUED)
        _send(list(waiting.order_by("id").values_list("pk", flat=True)))


def _send_on_commit(runs: Sequence[JobRun]) -> None:
    transaction.on_commit(partial(_send, [run.pk for run in runs]))


def send_message(run_id: int) -> None:
    """Send the workers a message to execute the run. Raises OSError or KombuError if the broker does not take it."""
    key = JobRun.objects.values_list("definition__key", flat=True).get(pk=run_id)
    with current_app.connection_for_write(transport_options=IMPATIENT) as connection:
        current_app.send_task(
            EXECUTE_RUN, args=[run_id], queue=find_queue(key), connection=connection, ignore_result=True, retry=False
        )


def _send(run_ids: Sequence[int]) -> None:
    for run_id in run_ids:
        try:
            send_message(run_id)
        except (OSError, KombuError) as error:
            # The rows stay queued and are sent again later. A page that waited for each of them would wait for long.
            log.warning("job_message_not_sent", run=run_id, error=type(error).__name__)
            return
