"""What a connection that transfers as it happens may do now: it waits after failures, and near the quota.

Both are decided by what runs and the CRM's answers say, not by a clock: failures are waited out in ticks, and the share
of API calls is that of the last answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from connections.choices import Pace
from connections.models import Connection
from crm_sync.models import LiveProgress
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.db.models import QuerySet

# Of the share of API calls at which a transfer stops: from here on a connection transfers hourly, so that the regular
# runs have calls left, and below the lower one as it happens again.
NEAR: Final = 0.9
FAR: Final = 0.75
MOST_TICKS: Final = 60
"""So many ticks, each of a minute, pass at most before a connection is tried again."""


def list_live_connections() -> QuerySet[Connection]:
    """Return the connections that transfer as it happens, whether they may at this moment or not."""
    return Connection.objects.filter(status=RecordStatus.ACTIVE, paused_at=None, pace=Pace.AS_IT_HAPPENS)


def list_awake_connections() -> QuerySet[Connection]:
    """Return those that may transfer at this moment: they have not failed just now, and have API calls left."""
    return list_live_connections().exclude(live_progress__ticks_to_wait__gt=0)


def is_awake(connection: Connection) -> bool:
    """Whether this one is among them."""
    progress: LiveProgress | None = getattr(connection, "live_progress", None)
    is_live = connection.status == RecordStatus.ACTIVE and connection.paused_at is None
    is_live = is_live and connection.pace == Pace.AS_IT_HAPPENS
    return is_live and (progress is None or not progress.ticks_to_wait)


def note_end(
    *,
    connection: Connection,
    usage: tuple[int, int] | None,
    error: str,
    is_limit: bool,
    has_fetched: bool,
) -> None:
    """Note how a run of a connection ended; call it in a transaction that renews the lease.

    `usage` are the API calls used and allowed, as the CRM said last; `error` says why the run, or one of its
    integrations, failed.
    """
    if connection.pace != Pace.AS_IT_HAPPENS:
        return
    progress, _ = LiveProgress.objects.get_or_create(connection=connection)
    if has_fetched:
        progress.is_fetch_due = False
        if not error:
            progress.fetched_at = get_now()
    progress.failures = min(progress.failures + 1, 100) if error and not is_limit else 0
    progress.last_error = error if progress.failures else ""
    progress.ticks_to_wait = min(2**progress.failures, MOST_TICKS) if progress.failures else 0
    _judge_usage(progress=progress, connection=connection, usage=usage, is_limit=is_limit)
    if progress.fell_back_at is not None:
        progress.ticks_to_wait = MOST_TICKS
    progress.save()


def _judge_usage(
    *, progress: LiveProgress, connection: Connection, usage: tuple[int, int] | None, is_limit: bool
) -> None:
    """Fall back to hourly if the CRM says that the share is near, and take up again if it says that it is far."""
    if usage is None and not is_limit:
        return
    used, allowed = usage or (0, 0)
    limit = allowed * connection.quota_percent / 100
    if is_limit or used >= limit * NEAR:
        progress.fell_back_at = progress.fell_back_at or get_now()
        progress.calls_used, progress.calls_allowed = used, allowed
    elif used < limit * FAR:
        progress.fell_back_at = None


def count_tick(connections: Sequence[Connection]) -> list[Connection]:
    """Count a tick for each connection, and return those that are to be asked for calls now."""
    due = []
    for connection in connections:
        progress, _ = LiveProgress.objects.get_or_create(connection=connection)
        mine = LiveProgress.objects.filter(pk=progress.pk)
        if progress.ticks_to_wait > 1:
            mine.filter(ticks_to_wait=progress.ticks_to_wait).update(ticks_to_wait=progress.ticks_to_wait - 1)
            continue
        mine.update(ticks_to_wait=0, is_fetch_due=True)
        due.append(connection)
    return due
