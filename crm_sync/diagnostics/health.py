"""Compute the health of connections for their list and for the landing page.

The number of statements is the same, whatever the number of connections and exception items.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Min, OuterRef, Q, Subquery

from activities.models import Activity
from connections.certificates import warn_of_ending
from connections.choices import IntegrationKind
from connections.models import Connection, IntegrationProgress
from crm_sync.diagnostics.states import ConnectionState, list_connection_states
from ctms.core.choices import RecordStatus
from exceptions_log.choices import ErrorType
from exceptions_log.models import ExceptionItem

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
    state: ConnectionState
    last_success_at: datetime | None
    open_exceptions: int
    unmatched_persons: int

    @property
    def certificate_warning(self) -> str:
        """That the certificate of the log-in ends soon or has ended; else nothing."""
        return warn_of_ending(self.connection.authorization)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Exceptions:
    open: int = 0
    unmatched: int = 0


def list_connection_health(connections: Sequence[Connection] | None = None) -> list[ConnectionHealth]:
    """Return the health of these connections, in their order; of all connections by name if None."""
    chosen = list(Connection.objects.select_related("authorization") if connections is None else connections)
    if not chosen:
        return []
    successes = _read_successes(chosen)
    states = list_connection_states(chosen)
    exceptions = _count_exceptions(chosen)
    return [
        ConnectionHealth(
            connection=connection,
            state=states[connection.pk],
            last_success_at=successes.get(connection.pk),
            open_exceptions=exceptions.get(connection.pk, _Exceptions()).open,
            unmatched_persons=exceptions.get(connection.pk, _Exceptions()).unmatched,
        )
        for connection in chosen
    ]


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
            persons=Count("person", filter=is_open & is_matching, distinct=True),
            # The message for an unmatched account contains its identifier, so there is one text per account.
            accounts=Count("error_message", filter=is_open & is_matching & is_call, distinct=True),
        )
    )
    return {
        row["message__connection"]: _Exceptions(
            open=row["open"],
            unmatched=row["persons"] + row["accounts"],
        )
        for row in rows
    }
