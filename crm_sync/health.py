"""How each connection fares, in a few figures: for the list of connections and for the landing page.

However many connections there are, and however many records wait, it is asked in four statements.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Min, OuterRef, Q, Subquery

from activities.models import Activity
from connections.choices import IntegrationKind
from connections.models import Connection, IntegrationProgress
from crm_sync.choices import HealthState
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionHealth:
    """How one connection fares.

    `last_success_at` is the start of the last run that brought every Active integration to its end.
    `open_exceptions` are the items of the Active messages, less those that were dismissed. `unmatched_persons` are the
    persons for whom none, or more than one, was found on the other side, so that what belongs to them waits.
    """

    connection: Connection
    state: HealthState
    last_success_at: datetime | None
    open_exceptions: int
    unmatched_persons: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exceptions:
    open: int = 0
    failed_integrations: int = 0
    unmatched: int = 0


_ENDED = (RunState.SUCCEEDED, RunState.WITH_EXCEPTIONS, RunState.FAILED, RunState.INTERRUPTED)
_ENDED_BADLY = (RunState.FAILED, RunState.INTERRUPTED)


def list_connection_health(connections: Sequence[Connection] | None = None) -> list[ConnectionHealth]:
    """The health of those connections, in their order; of all by name, if none are given."""
    chosen = list(Connection.objects.all() if connections is None else connections)
    if not chosen:
        return []
    successes = _read_successes(chosen)
    last_states = _read_last_states(chosen)
    exceptions = _count_exceptions(chosen)
    return [
        _judge(
            connection=connection,
            last_success_at=successes.get(connection.pk),
            last_state=last_states.get(str(connection.uid)),
            exceptions=exceptions.get(connection.pk, _Exceptions()),
        )
        for connection in chosen
    ]


def _judge(
    *, connection: Connection, last_success_at: datetime | None, last_state: str | None, exceptions: _Exceptions
) -> ConnectionHealth:
    if connection.status != RecordStatus.ACTIVE:
        state = HealthState.INACTIVE
    elif exceptions.failed_integrations or last_state in _ENDED_BADLY:
        state = HealthState.FAILING
    elif last_state is None and last_success_at is None:
        state = HealthState.NEVER_RAN
    else:
        state = HealthState.OK
    return ConnectionHealth(
        connection=connection,
        state=state,
        last_success_at=last_success_at,
        open_exceptions=exceptions.open,
        unmatched_persons=exceptions.unmatched,
    )


def _read_successes(connections: list[Connection]) -> dict[int, datetime]:
    """The last time at which every Active integration of a connection succeeded: that of the one furthest behind."""
    rows = (
        IntegrationProgress.objects.filter(
            integration__connection__in=connections,
            integration__status=RecordStatus.ACTIVE,
            last_successful_run_at__isnull=False,
        )
        .values_list("integration__connection")
        .annotate(earliest=Min("last_successful_run_at"))
    )
    return dict(rows)


def _read_last_states(connections: list[Connection]) -> dict[str, str]:
    """State of the last ended run, by the connection's uid: one look into the index for each, in one statement."""
    runs = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, state__in=_ENDED)
    last = Q()
    for connection in connections:
        latest = runs.filter(unit_key=str(connection.uid)).order_by("-slot", "-attempt").values("pk")[:1]
        last |= Q(pk=Subquery(latest))
    return dict(JobRun.objects.filter(last).order_by().values_list("unit_key", "state"))


def _count_exceptions(connections: list[Connection]) -> dict[int, _Exceptions]:
    is_open, is_matching = Q(dismissed_at=None), Q(error_type=ErrorType.MATCHING)
    # A call that the CRM does not show any more is an item without the call's fields, and of nobody's account.
    is_call = Q(message__integration__kind=IntegrationKind.CALL_INBOUND, item_data__has_key="SystemModstamp")
    person = Activity.objects.filter(uid=OuterRef("record_uid")).values("person")[:1]
    rows = (
        ExceptionItem.objects.filter(
            message__connection__in=connections,
            message__status=RecordStatus.ACTIVE,
            message__is_draft=False,
        )
        .annotate(person=Subquery(person))
        .order_by()
        .values("message__connection")
        .annotate(
            open=Count("pk", filter=is_open),
            # Dismissed or not: what stands still stands still.
            failed_integrations=Count("pk", filter=Q(key__startswith="integration:")),
            persons=Count("person", filter=is_open & is_matching, distinct=True),
            # What is said of an account that nobody here matches names its identifier, so it is one text for each.
            accounts=Count("error_message", filter=is_open & is_matching & is_call, distinct=True),
        )
    )
    return {
        row["message__connection"]: _Exceptions(
            open=row["open"],
            failed_integrations=row["failed_integrations"],
            unmatched=row["persons"] + row["accounts"],
        )
        for row in rows
    }
