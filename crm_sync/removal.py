"""Deleting a connection: what the Vault remembers of the organisation goes, what the organisation has stays.

The lease of the transfer is held for as long as the transaction takes: no run begins meanwhile, and one that is queued
at the same moment finds no connection and ends as Skipped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import models, transaction

from activities.models import Activity
from connections.models import Connection, CrmConnectionIdentifierMapping, FieldRule, Integration, IntegrationRule
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import AccountMatch, IntegrationRun, TransferLink
from ctms.audit.services import delete_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.core.errors import StaleRecordError, VaultError
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.queue import interrupt_dead_run
from exceptions_log.models import ExceptionItem, ExceptionMessage

if TYPE_CHECKING:
    from ctms.audit.actors import Actor
    from ctms.core.models import AuditedModel


class ConnectionInUseError(VaultError):
    """The connection cannot be deleted now, or not at all; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What the Vault has of a connection's transfers. All of it goes with the connection but the Medical Activities."""

    links: int
    matches: int
    runs: int
    exception_items: int
    medical_activities: int

    def describe(self) -> str:
        """What would be forgotten, in a line."""
        counts = (
            (self.links, "link", "links"),
            (self.matches, "account match", "account matches"),
            (self.runs, "integration run", "integration runs"),
            (self.exception_items, "user exception item", "user exception items"),
        )
        return ", ".join(f"{number:,} {one if number == 1 else many}" for number, one, many in counts)


def count_traces(connection: Connection) -> Traces:
    """How much there is of each, now."""
    return Traces(
        links=TransferLink.objects.filter(integration__connection=connection).count(),
        matches=AccountMatch.objects.filter(connection=connection).count(),
        runs=IntegrationRun.objects.filter(integration__connection=connection).count(),
        exception_items=ExceptionItem.objects.filter(message__connection=connection, message__is_draft=False).count(),
        medical_activities=Activity.objects.filter(connection=connection).count(),
    )


def find_obstacle(*, connection: Connection, traces: Traces) -> str:
    """Why the connection cannot be deleted and what to do instead; empty if it can."""
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
    """Delete a connection with its rules and all that its transfers left behind; returns what that was.

    The history of the job keeps its runs, with their counts. Raises ConnectionInUseError while a transfer is scheduled
    or at work and where Medical Activities came from the connection, and StaleRecordError if it was changed since
    `expected_version`, or is gone. Then nothing is deleted.
    """
    with transaction.atomic():
        # The lease before the connection, as a transfer takes them when it writes: neither waits for the other in vain.
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
        Lease.objects.filter(key=_build_lease_key(connection)).delete()
    return traces


def _fence_transfers(connection: Connection) -> None:
    """See that no transfer writes from here on: what died is marked so, and who is alive keeps its lease."""
    dead = Lease.objects.filter(run__in=_get_runs(connection), run__state=RunState.RUNNING, expires_at__lte=get_now())
    for lease in dead.select_related("run"):
        interrupt_dead_run(lease)
    if acquire_lease(key=_build_lease_key(connection), run=None) is None:
        raise ConnectionInUseError(
            f"{connection} cannot be deleted while a transfer of it is running. Wait until Job Status shows it in the "
            "history."
        )


def _forget(connection: Connection) -> None:
    """Delete the rows that the transfer itself keeps, in statements that do not grow with them."""
    integrations = Integration.objects.filter(connection=connection)
    TransferLink.objects.filter(integration__in=integrations).delete()
    AccountMatch.objects.filter(connection=connection).delete()
    IntegrationRun.objects.filter(integration__in=integrations).delete()
    messages = ExceptionMessage.objects.filter(connection=connection)
    ExceptionItem.objects.filter(message__in=messages).delete()
    messages.delete()


def _delete_configuration(*, connection: Connection, actor: Actor) -> None:
    """Delete what admins configured, children first, each with its entry in the audit trail."""
    of_connection: list[AuditedModel] = [
        *FieldRule.objects.filter(rule__integration__connection=connection).order_by("pk"),
        *IntegrationRule.objects.filter(integration__connection=connection).order_by("pk"),
        *Integration.objects.filter(connection=connection).order_by("pk"),
        *CrmConnectionIdentifierMapping.objects.filter(connection=connection),
    ]
    for record in of_connection:
        delete_record(record=record, actor=actor, reason=f"Deleted with the connection {connection}")


def _get_runs(connection: Connection) -> models.QuerySet[JobRun]:
    return JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY, unit_key=str(connection.uid))


def _build_lease_key(connection: Connection) -> str:
    """As `ctms.jobs.services` names the lease of a run of this unit."""
    return f"{TRANSFER_JOB_KEY}:{connection.uid}"
