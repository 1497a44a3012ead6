"""Delete a connection with everything that its transfers stored in the Vault; the records in the CRM stay.

The transaction holds the lease of the transfer, so that no run begins meanwhile. A run that is queued at the same
moment finds no connection and ends as Skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models, transaction

from activities.models import Activity
from connections.models import (
    CallbackSession,
    Connection,
    ConnectionSchedule,
    CrmConnectionIdentifierMapping,
    FieldRule,
    Integration,
    IntegrationRule,
)
from crm_sync.jobs import JOB_KEYS, build_lease_key
from crm_sync.models import (
    AccountMatch,
    AlertSettings,
    ConnectionAlert,
    ConnectionStanding,
    IntegrationRun,
    LiveProgress,
    Reconciliation,
    TransferAttempt,
    TransferLink,
    TransferPreview,
)
from ctms.audit.services import delete_record
from ctms.core.choices import RecordStatus
from ctms.core.errors import StaleRecordError, VaultError
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.leases import acquire_lease, find_dead_leases
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.queue import interrupt_dead_run
from exceptions_log.models import ExceptionItem, ExceptionMessage, Failure

if TYPE_CHECKING:
    from ctms.audit.actors import Actor
    from ctms.core.models import AuditedModel


class ConnectionInUseError(VaultError):
    """The connection cannot be deleted, now or at all; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """Numbers of rows that a connection's transfers stored; all but Medical Activities are deleted with it."""

    links: int
    matches: int
    runs: int
    exception_items: int
    medical_activities: int

    def describe(self) -> str:
        """Return the numbers of the rows to delete, as a line of text."""
        counts = (
            (self.links, "link", "links"),
            (self.matches, "account match", "account matches"),
            (self.runs, "integration run", "integration runs"),
            (self.exception_items, "user exception item", "user exception items"),
        )
        return ", ".join(f"{number:,} {one if number == 1 else many}" for number, one, many in counts)


def count_traces(connection: Connection) -> Traces:
    """Count the rows that the connection's transfers stored."""
    return Traces(
        links=TransferLink.objects.filter(integration__connection=connection).count(),
        matches=AccountMatch.objects.filter(connection=connection).count(),
        runs=IntegrationRun.objects.filter(integration__connection=connection).count(),
        exception_items=ExceptionItem.objects.filter(message__connection=connection).count(),
        medical_activities=Activity.objects.filter(connection=connection).count(),
    )


def find_obstacle(*, connection: Connection, traces: Traces) -> str:
    """Return why the connection cannot be deleted and what to do instead; empty if it can be deleted."""
    if number := traces.medical_activities:
        came = "1 Medical Activity came from it" if number == 1 else f"{number:,} Medical Activities came from it"
        instead = (
            "Make it Inactive instead: it then transfers nothing."
            if connection.status == RecordStatus.ACTIVE
            else "It is Inactive, so it transfers nothing."
        )
        return f"{connection} cannot be deleted: {came}. {instead}"
    run = _get_runs(connection).filter(state__in=UNFINISHED_STATES).first()
    if run is not None:
        return (
            f"{connection} cannot be deleted while a transfer of it is {run.get_state_display().lower()}. Wait until "
            "Job Status shows it in the history; make the connection Inactive first if it transfers often."
        )
    return ""


def delete_connection(*, connection: Connection, actor: Actor, expected_version: int | None = None) -> Traces:
    """Delete a connection with its rules and the rows of its transfers; return how many rows there were.

    The job's history keeps its runs with their counts. Nothing is deleted if an error is raised: ConnectionInUseError
    while a transfer is queued or running, or if Medical Activities came from the connection; StaleRecordError if the
    connection was deleted or was changed since `expected_version`.
    """
    _end_dead_runs(connection)
    with transaction.atomic():
        # The lease is locked before the connection, in the same order as by a transfer, so that there is no deadlock.
        _fence_transfers(connection)
        if not Connection.objects.select_for_update().filter(pk=connection.pk).exists():
            raise StaleRecordError(f"{connection} was already deleted.")
        traces = count_traces(connection)
        if obstacle := find_obstacle(connection=connection, traces=traces):
            raise ConnectionInUseError(obstacle)
        _forget(connection)
        _delete_configuration(connection=connection, actor=actor)
        delete_record(
            record=connection,
            actor=actor,
            reason=f"Forgotten with it: {traces.describe()}. The records in the CRM stay as they are.",
            expected_version=expected_version,
        )
        Lease.objects.filter(key=build_lease_key(connection)).delete()
    return traces


def _end_dead_runs(connection: Connection) -> None:
    """Mark runs whose worker is dead, in a transaction of its own, so that what was observed is kept."""
    for lease in find_dead_leases(Lease.objects.filter(run__in=_get_runs(connection), run__state=RunState.RUNNING)):
        interrupt_dead_run(lease)


def _fence_transfers(connection: Connection) -> None:
    """Take the lease of the transfer. Raises ConnectionInUseError if another holds it."""
    if acquire_lease(key=build_lease_key(connection), run=None) is None:
        raise ConnectionInUseError(
            f"{connection} cannot be deleted while a transfer of it is running. Wait until Job Status shows it in the "
            "history."
        )


def _forget(connection: Connection) -> None:
    """Delete the rows of the transfers, in a number of statements that does not grow with them."""
    integrations = Integration.objects.filter(connection=connection)
    Reconciliation.objects.filter(connection=connection).delete()
    TransferPreview.objects.filter(connection=connection).delete()
    TransferAttempt.objects.filter(integration__in=integrations).delete()
    TransferLink.objects.filter(integration__in=integrations).delete()
    AccountMatch.objects.filter(connection=connection).delete()
    ConnectionAlert.objects.filter(connection=connection).delete()
    ConnectionStanding.objects.filter(connection=connection).delete()
    LiveProgress.objects.filter(connection=connection).delete()
    IntegrationRun.objects.filter(integration__in=integrations).delete()
    messages = ExceptionMessage.objects.filter(connection=connection)
    Failure.objects.filter(integration__in=integrations).delete()
    ExceptionItem.objects.filter(message__in=messages).delete()
    messages.delete()
    CallbackSession.objects.filter(connection=connection).delete()


def _delete_configuration(*, connection: Connection, actor: Actor) -> None:
    """Delete the configuration, children first, each record with an entry in the audit trail."""
    alert_settings = list(AlertSettings.objects.filter(connection=connection).select_related("webhook"))
    of_connection: list[AuditedModel] = [
        *FieldRule.objects.filter(rule__integration__connection=connection).order_by("pk"),
        *IntegrationRule.objects.filter(integration__connection=connection).order_by("pk"),
        *Integration.objects.filter(connection=connection).order_by("pk"),
        *CrmConnectionIdentifierMapping.objects.filter(connection=connection),
        *ConnectionSchedule.objects.filter(connection=connection),
        *alert_settings,
        *(each.webhook for each in alert_settings if each.webhook is not None),  # with its secret and deliveries
    ]
    for record in of_connection:
        delete_record(record=record, actor=actor, reason=f"Deleted with the connection {connection}")


def _get_runs(connection: Connection) -> models.QuerySet[JobRun]:
    return JobRun.objects.filter(definition__key__in=JOB_KEYS, unit_key=str(connection.uid))
