"""Cancelling runs: a queued one at once, a running one at its next batch, one whose worker died by the next tick."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import format_time, get_now
from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.registry import UnknownJobError, get_handler

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)


class NotCancellableError(VaultError):
    """The run ended already, or somebody cancelled it before."""


class RunCancelledError(VaultError):
    """Somebody cancelled the run: it ends here, and what it wrote so far stays."""

    log = ""


def cancel_run(*, run: JobRun, actor: Actor) -> JobRun:
    """Cancel a run: afterwards it is Cancelled, or Running and about to stop. Returns it as it is now.

    Each step is conditional on the run's state, so that it can neither begin nor end unnoticed in between. Raises
    NotCancellableError if it ended before, or was cancelled before.
    """
    now = get_now()
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


def describe_cancellation(run: JobRun) -> str:
    """Who cancelled the run, and when."""
    return f"{run.cancel_requested_by} cancelled it at {format_time(run.cancel_requested_at)}."


def abandon_unit(*, run: JobRun, message: str) -> None:
    """Let the job know that nobody will do the unit of a cancelled run, in the transaction that ends the run."""
    try:
        abandon = get_handler(run.definition.key).abandon
    except UnknownJobError:
        return
    if abandon is not None:
        abandon(run.unit_key, message)


def _explain_refusal(run: JobRun) -> str:
    if run.state == RunState.RUNNING:
        return f"{describe_cancellation(run)} It stops after its current batch."
    return f"It has ended already: {run.get_state_display()}. Nothing was cancelled."
