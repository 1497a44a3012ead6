"""Compute the health of connections for their list and for the landing page.

It takes four statements, whatever the number of connections and exception items.
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
from exceptions_log.models import INTEGRATION_KEY, ExceptionItem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionHealth:
    """The health of one connection.

    `last_success_at` is the earliest of the last successes of its Active integrations, each by the start of its run;
    None while one of them never succeeded.
    `open_exceptions` counts the items of Active messages that were not dismissed. `unmatched_persons` counts persons
    and accounts for which the other side has no match, or more than one, so that their records wait.
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
    """Return the health of these connections, in their order; of all connections by name if None."""
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
    """Return by connection the earliest of the last successes of its Active integrations, if all had one."""
    rows = (
        IntegrationProgress.objects.filter(
            integration__connection__in=connections,
            integration__status=RecordStatus.ACTIVE,
            integration__rule__status=RecordStatus.ACTIVE,
        )
        .values("integration__connection")
        .annotate(earliest=Min("last_successful_run_at"), never=Count("pk", filter=Q(last_successful_run_at=None)))
        .filter(never=0)
    )
    return dict(rows.values_list("integration__connection", "earliest"))


def _read_last_states(connections: list[Connection]) -> dict[str, str]:
    """Return the state of the last ended run by UID of the connection, in one statement."""
    runs = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, state__in=_ENDED)
    last = Q()
    for connection in connections:
        latest = runs.filter(unit_key=str(connection.uid)).order_by("-slot", "-attempt").values("pk")[:1]
        last |= Q(pk=Subquery(latest))
    return dict(JobRun.objects.filter(last).order_by().values_list("unit_key", "state"))


def _count_exceptions(connections: list[Connection]) -> dict[int, _Exceptions]:
    is_open, is_matching = Q(dismissed_at=None), Q(error_type=ErrorType.MATCHING)
    # The item of a call that the CRM does not show any more has no data and names no account.
    is_call = Q(message__integration__kind=IntegrationKind.CALL_INBOUND) & ~Q(item_data={})
    person = Activity.objects.filter(uid=OuterRef("record_uid")).values("person")[:1]
    rows = (
        ExceptionItem.objects.filter(
            message__connection__in=connections,
            resolved_at=None,
        )
        .annotate(person=Subquery(person))
        .order_by()
        .values("message__connection")
        .annotate(
            open=Count("pk", filter=is_open),
            # Dismissed ones are counted too, because the integration still fails.
            failed_integrations=Count("pk", filter=Q(key__startswith=INTEGRATION_KEY)),
            persons=Count("person", filter=is_open & is_matching, distinct=True),
            # The message for an unmatched account contains its identifier, so there is one text per account.
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
