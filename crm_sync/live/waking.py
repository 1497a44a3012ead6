"""Wakes the workers after a commit, and every minute. The rows are the queue: a message that is lost costs a tick.

Whether there is anything to send is read from the audit trail when the run begins. A connection whose run waits or
works already is not woken again: the run that waits reads what is committed by then, and one that works is followed by
a look at what came meanwhile. So ten edits within a second are one run or two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import KombuError

from connections.models import Connection
from crm_sync.engine.pace import count_tick, list_awake_connections, list_live_connections
from crm_sync.units import JOB_KEYS, LIVE_JOB_KEY, build_unit
from ctms.audit.change_listeners import register_change_listener
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.core.models import VaultRecord
from ctms.jobs.choices import UNFINISHED_STATES, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.queue import IMPATIENT, queue_runs

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ctms.audit.change_listeners import Change

log = structlog.get_logger(__name__)

WAKE = "crm_sync.wake"  # name of the task that wakes all connections


def register_live_listener() -> None:
    """Register the change listener; called once, when the app is ready."""
    register_change_listener(VaultRecord, _follow_changes)


def _follow_changes(changes: Sequence[Change]) -> None:
    """Send one message after the commit, however many writes the transaction has."""
    if changes and not isinstance(changes[0][0], Connection):
        queued = transaction.get_connection().run_on_commit
        if not any(function is send_wake for _, function, _ in queued):
            transaction.on_commit(send_wake, robust=True)


def send_wake() -> None:
    """Send a message if a connection has to be woken. If the broker does not take it, the next tick does the work."""
    if not _list_sleeping(list_awake_connections()):
        return
    try:
        with current_app.connection_for_write(transport_options=IMPATIENT) as connection:
            current_app.send_task(WAKE, connection=connection, ignore_result=True, retry=False)
    except (OSError, KombuError) as error:
        log.warning("wake_message_not_sent", error=type(error).__name__)


def wake() -> int:
    """Queue a run for each connection that may transfer now and has none; return how many were queued."""
    return wake_connections(list_awake_connections())


def start_live() -> int:
    """Have the calls of every connection fetched whose turn it is; return how many runs were queued."""
    return wake_connections(count_tick(list(list_live_connections().order_by("pk"))))


def wake_connections(connections: Collection[Connection] | Any) -> int:
    """Queue a run for each of these connections that has no unfinished one; return how many were queued."""
    sleeping = _list_sleeping(connections)
    definition = JobDefinition.objects.filter(key=LIVE_JOB_KEY, status=RecordStatus.ACTIVE).first()
    if definition is None or not sleeping:
        return 0
    units = [build_unit(connection) for connection in sleeping]
    return len(
        queue_runs(definition=definition, units=units, slot=get_database_now(), trigger=RunTrigger.CHANGE, user=None)
    )


def _list_sleeping(connections: Collection[Connection] | Any) -> list[Connection]:
    """Return those that no job is at work on or about to be; whichever is looks at what is new when it ends."""
    asked = list(connections)
    if not asked:
        return []
    unfinished = JobRun.objects.filter(definition__key__in=JOB_KEYS, state__in=UNFINISHED_STATES)
    busy = set(unfinished.order_by().values_list("unit_key", flat=True))
    return [connection for connection in asked if str(connection.uid) not in busy]
