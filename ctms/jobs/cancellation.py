"""Cancels runs: a queued one at once, a running one after its batch, one whose worker died at the next dispatch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import format_time, get_database_now
from ctms.jobs.choices import RunState
from ctms.jobs.errors import NotCancellableError, UnknownJobError
from ctms.jobs.models import JobRun
from ctms.jobs.registry import get_handler

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)


def cancel_run(*, run: JobRun, actor: Actor) -> JobRun:
    """Cancel a run and return it as stored: a queued one is Cancelled, a running one stops after its current batch.

    Each update is conditional on the run's state, because the run may begin or end meanwhile. Raises
    NotCancellableError if it ended or was cancelled before.
    """
    now = get_database_now()
    request = {"cancel_requested_at": now, "cancel_requested_by": actor.user}
    open_runs = JobRun.objects.filter(pk=run.pk, cancel_requested_at__isnull=True)
    with transaction.atomic():
        message = f"{actor.user} cancelled it at {format_time(now)}, before it began."
        if open_runs.filter(state=RunState.QUEUED).update(
            **request, state=RunState.CANCELLED, finished_at=now, message=message
        ):
            abandon_unit(run=run, message=message)
        elif not open_runs.filter(state=RunState.RUNNING).update(**request):
            run.refresh_from_db()
            raise NotCancellableError(_explain_refusal(run))
        record_event(
            actor=actor, action=AuditAction.EVENT, object_name=JobRun.object_name, record=run, reason="Run cancelled"
        )
    run.refresh_from_db()
    return run


def abandon_unit(*, run: JobRun, message: str) -> None:
    """Tell the job that the unit of a cancelled run will not be done. Call it in the transaction that ends the run."""
    try:
        abandon = get_handler(run.definition.key).abandon
    except UnknownJobError:
        return
    if abandon is not None:
        abandon(run.unit_key, message)


def _explain_refusal(run: JobRun) -> str:
    if run.state == RunState.RUNNING:
        return f"{run.describe_cancellation()} It stops after its current batch."
    return f"It has ended already: {run.get_state_display()}. Nothing was cancelled."
