"""The queue. Rows are the queue; a message only says that a row may be looked at, and may be lost or come twice."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F
from kombu.exceptions import KombuError

from ctms.core.clock import get_now
from ctms.jobs.cancellation import abandon_unit, describe_cancellation
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun, Lease

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from ctms.accounts.models import User
    from ctms.jobs.registry import JobUnit

log = structlog.get_logger(__name__)

MAX_TAKEOVERS = 5


def queue_runs(
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


def take_over_interrupted() -> int:
    """Mark runs whose lease ran out as Interrupted, and queue their work anew; how many were queued."""
    taken = 0
    ran_out = Lease.objects.filter(run__state=RunState.RUNNING, expires_at__lte=get_now())
    for lease in ran_out.select_related("run__definition").order_by("run_id"):
        with transaction.atomic():
            if not interrupt_dead_run(lease) or lease.run is None or lease.run.attempt > MAX_TAKEOVERS:
                continue
            successor = JobRun.objects.create(
                definition_id=lease.run.definition_id,
                unit_key=lease.run.unit_key,
                unit_label=lease.run.unit_label,
                slot=lease.run.slot,
                attempt=lease.run.attempt + 1,
                trigger=RunTrigger.TAKEOVER,
                requested_by_id=lease.run.requested_by_id,
                queued_at=get_now(),
            )
            _send_on_commit(successor)
            taken += 1
    return taken


def interrupt_dead_run(lease: Lease) -> bool:
    """Mark the run that let `lease` run out as Interrupted; False if it renewed the lease after all, or ended.

    A cancelled one becomes Cancelled instead, and False says that nobody is to go on with it. The lease is fenced off
    in the same transaction: should its owner be slow and not dead, it can write no more.
    """
    now = get_now()
    with transaction.atomic():
        fenced = Lease.objects.filter(pk=lease.pk, token=lease.token, expires_at__lte=now).update(
            token=F("token") + 1, run=None
        )
        if not fenced or lease.run is None:
            return False
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
    """End a run that was cancelled, and whose worker died before it noticed."""
    run = JobRun.objects.select_related("definition", "cancel_requested_by").get(pk=run_id)
    message = f"{describe_cancellation(run)} Its worker had stopped in the middle."
    if JobRun.objects.filter(pk=run.pk, state=RunState.RUNNING).update(
        state=RunState.CANCELLED, finished_at=now, result=lease.progress, message=message
    ):
        abandon_unit(run=run, message=message)


def send_stuck_again() -> int:
    """Send messages anew for rows that stayed queued; how many.

    Theirs was lost between commit and broker or with the broker, or the command died that was to run them itself.
    """
    patience = get_now() - timedelta(seconds=settings.JOB_REQUEUE_SECONDS)
    sent = 0
    for run in JobRun.objects.filter(state=RunState.QUEUED, queued_at__lte=patience).order_by("id"):
        with transaction.atomic():
            if JobRun.objects.filter(pk=run.pk, state=RunState.QUEUED, queued_at=run.queued_at).update(
                queued_at=get_now()
            ):
                _send_on_commit(run)
                sent += 1
    return sent


def _send_on_commit(run: JobRun) -> None:
    transaction.on_commit(partial(_send, run.pk))


def _send(run_id: int) -> None:
    from ctms.jobs.tasks import execute_job_run  # noqa: PLC0415  tasks import the services, which import this module

    try:
        execute_job_run.delay(run_id)
    except (OSError, KombuError) as error:  # the row stays queued and a later tick sends it again
        log.warning("job_message_not_sent", run=run_id, error=type(error).__name__)
