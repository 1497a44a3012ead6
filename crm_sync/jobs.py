"""Register the transfer, its preview and the reconciliation as jobs with a unit for each active connection.

So no organisation waits for another. These jobs share the lease of a connection, so that neither sees the other's
half-done work.
"""

from __future__ import annotations

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.engine.run import run_transfer
from crm_sync.preview.run import run_preview
from crm_sync.reconciliation.run import run_reconciliation
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import Frequency, JobQueue
from ctms.jobs.registry import JobHandler, JobUnit, register_job

TRANSFER_JOB_KEY = "crm_clinical_operations_transfer"
RECONCILIATION_JOB_KEY = "crm_reconciliation"
PREVIEW_JOB_KEY = "crm_transfer_preview"
JOB_KEYS = (TRANSFER_JOB_KEY, RECONCILIATION_JOB_KEY, PREVIEW_JOB_KEY)


def list_transfer_units() -> list[JobUnit]:
    """Return a unit for every active connection."""
    return [build_unit(connection) for connection in Connection.objects.filter(status=RecordStatus.ACTIVE)]


def build_unit(connection: Connection) -> JobUnit:
    """Build the unit that transfers one connection; its `key` is the connection's UID."""
    return JobUnit(key=str(connection.uid), label=connection.name)


def build_lease_key(connection: Connection) -> str:
    """Return the key of the lease that a run of this connection holds, of any of the jobs."""
    return f"{TRANSFER_JOB_KEY}:{connection.uid}"


def register_jobs() -> None:
    """Register the jobs; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=TRANSFER_JOB_KEY,
            name="CRM/Clinical Operations Transfer",
            list_units=list_transfer_units,
            execute=run_transfer,
            queue=JobQueue.TRANSFERS,
            about="Runs every Active connection: sends studies, sites and Clinical Activities to its CRM, and receives "
            "its calls as Medical Activities. What cannot go is a user exception, and is tried again by the next run.",
            idle="no connection is Active",
            part_labels=dict(IntegrationKind.choices),
        )
    )
    register_job(
        JobHandler(
            key=RECONCILIATION_JOB_KEY,
            name="Reconcile CRM",
            list_units=list_transfer_units,
            execute=run_reconciliation,
            frequency=Frequency.DAILY,
            hour=2,
            about="Compares every record of every Active connection with the rows of its CRM, and says one word of "
            "each. What nothing explains is listed on the connection's page Reconciliation, where it can be repaired.",
            idle="no connection is Active",
            part_labels=dict(IntegrationKind.choices),
            queue=JobQueue.TRANSFERS,
            lease_name=TRANSFER_JOB_KEY,
        )
    )
    register_job(
        JobHandler(
            key=PREVIEW_JOB_KEY,
            name="Preview CRM Transfer",
            list_units=list_transfer_units,
            execute=run_preview,
            frequency=Frequency.DAILY,
            hour=1,
            about="Finds out what the next transfer of every Active connection would do with each record, and writes "
            "nothing else. The result is on the connection's page Preview Transfer, which also starts it.",
            idle="no connection is Active",
            part_labels=dict(IntegrationKind.choices),
            queue=JobQueue.TRANSFERS,
            lease_name=TRANSFER_JOB_KEY,
        )
    )
