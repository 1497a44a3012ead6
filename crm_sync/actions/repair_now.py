"""Repair what a reconciliation found, under the lease of the connection, and start the transfer that does the work."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_sync.choices import RecordWord
from crm_sync.jobs import RECONCILIATION_JOB_KEY, TRANSFER_JOB_KEY, build_lease_key, build_unit
from crm_sync.reconciliation.repair import repair_differences
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobDefinition, Lease
from ctms.jobs.services import start_unit

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from connections.models import Connection
    from crm_sync.models import Difference
    from ctms.accounts.models import User
    from ctms.audit.actors import Actor
    from ctms.jobs.models import JobRun


class ConnectionBusyError(VaultError):
    """A transfer or reconciliation of the connection is running; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """How many differences were repaired, and the transfer that was started.

    There is none if one is scheduled already, or if the connection is paused.
    """

    repaired: int
    run: JobRun | None


def repair_links(*, connection: Connection, differences: QuerySet[Difference], actor: Actor) -> int:
    """Correct the links of these differences of one connection, with an audit entry; return how many there were.

    Raises ConnectionBusyError while a transfer or reconciliation runs, and ConfigurationError for rules that are wrong.
    """
    key = build_lease_key(connection)
    # A run that died keeps its lease until another is queued to go on from there.
    is_busy = Lease.objects.filter(key=key, run__state=RunState.RUNNING).exists()
    lease = None if is_busy else acquire_lease(key=key, run=None)
    if lease is None:
        raise ConnectionBusyError(
            f"A transfer or reconciliation of {connection} is running. Repair when Job Status shows it in the history."
        )
    words = Counter(differences.filter(is_repaired=False).values_list("word", flat=True))
    try:
        repaired = repair_differences(differences=differences, renew_lease=lease.renew)
    finally:
        lease.release()
    if repaired:
        told = ", ".join(f"{words[word]:,} {word.label.lower()}" for word in RecordWord if words[word])
        record_event(
            actor=actor,
            action=AuditAction.EVENT,
            object_name=connection.object_name,
            record=connection,
            reason=f"Repaired after a reconciliation: {told}",
        )
    return repaired


def repair_now(*, connection: Connection, differences: QuerySet[Difference], actor: Actor) -> Repair:
    """Repair these differences and start a transfer. Raises the errors of `repair_links`."""
    repaired = repair_links(connection=connection, differences=differences, actor=actor)
    run = None
    if repaired and connection.paused_at is None:
        try:
            definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
            run = start_unit(definition=definition, unit=build_unit(connection), user=actor.user)
        except JobAlreadyRunningError:
            run = None  # the one that is scheduled takes them up
    return Repair(repaired=repaired, run=run)


def reconcile_now(*, connection: Connection, user: User | None) -> JobRun:
    """Queue a reconciliation of a connection. Raises JobAlreadyRunningError."""
    definition = JobDefinition.objects.get(key=RECONCILIATION_JOB_KEY)
    return start_unit(definition=definition, unit=build_unit(connection), user=user)
