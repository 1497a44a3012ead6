"""Pause and resume connections.

A paused connection is Active, and transferred by nothing until it is resumed: `list_transfer_units` leaves it out,
`run_transfer` refuses it whoever started the run, and runs that are queued or running when it is paused are cancelled.
Previews and reconciliations change nothing in the CRM; an admin may start them while it is paused.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError
from django.db import transaction

from connections.callbacks import revoke_sessions
from connections.models import Connection
from crm_sync.units import ONE_RECORD_JOB_KEY, TRANSFER_JOB_KEYS
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState
from ctms.jobs.errors import NotCancellableError
from ctms.jobs.models import JobRun

if TYPE_CHECKING:
    from ctms.audit.actors import Actor

_UNFINISHED = (RunState.QUEUED, RunState.RUNNING)
_MOVING = (*TRANSFER_JOB_KEYS, ONE_RECORD_JOB_KEY)  # jobs that send or receive records


def pause_connection(*, connection: Connection, reason: str, actor: Actor) -> bool:
    """Pause a connection and cancel its transfers that are queued or running; return False if it was paused before.

    A running transfer stops after its current batch. Raises ValidationError without a reason.
    """
    reason = _clean_reason(reason)
    with transaction.atomic():
        locked = Connection.objects.select_for_update().get(pk=connection.pk)
        if locked.paused_at is not None:
            return False
        locked.paused_at, locked.paused_by, locked.pause_reason = get_now(), actor.user, reason
        save_record(record=locked, actor=actor, reason=reason)
        revoke_sessions(connection=locked, because="The connection was paused.", actor=actor)
    # After the commit: a run that began before it saw no pause, and is found here; one that begins later sees it.
    runs = JobRun.objects.filter(
        definition__key__in=_MOVING, unit_key=str(connection.uid), state__in=_UNFINISHED
    ).select_related("definition")
    for run in runs:
        with suppress(NotCancellableError):  # it ended meanwhile, or somebody else cancelled it
            cancel_run(run=run, actor=actor)
    connection.refresh_from_db()
    return True


def resume_connection(*, connection: Connection, actor: Actor, reason: str = "") -> bool:
    """Let a connection be transferred again; return False if it was not paused."""
    with transaction.atomic():
        locked = Connection.objects.select_for_update().get(pk=connection.pk)
        if locked.paused_at is None:
            return False
        locked.paused_at, locked.paused_by, locked.pause_reason = None, None, ""
        save_record(record=locked, actor=actor, reason=reason)
    connection.refresh_from_db()
    return True


def pause_all(*, reason: str, actor: Actor) -> list[Connection]:
    """Pause every Active connection that is not paused, for one reason; return those that were paused now."""
    _clean_reason(reason)
    chosen = Connection.objects.filter(status=RecordStatus.ACTIVE, paused_at=None)
    return [each for each in chosen if pause_connection(connection=each, reason=reason, actor=actor)]


def resume_all(*, actor: Actor) -> list[Connection]:
    """Resume every paused connection; return those that were resumed now."""
    paused = Connection.objects.filter(paused_at__isnull=False)
    return [each for each in paused if resume_connection(connection=each, actor=actor)]


def _clean_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ValidationError({"reason": "Say why nothing is to be transferred: whoever finds it paused reads this."})
    return reason
