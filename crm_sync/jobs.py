"""The transfer as a job: one unit for each active connection, so that no organisation waits for another."""

from __future__ import annotations

from connections.choices import IntegrationKind
from connections.models import Connection
from crm_sync.transfer import run_transfer
from ctms.core.choices import RecordStatus
from ctms.jobs.registry import JobHandler, JobUnit, register_job

TRANSFER_JOB_KEY = "crm_clinical_operations_transfer"


def list_transfer_units() -> list[JobUnit]:
    """Every active connection; `key` is its uid."""
    return [build_unit(connection) for connection in Connection.objects.filter(status=RecordStatus.ACTIVE)]


def build_unit(connection: Connection) -> JobUnit:
    """The unit that transfers one connection."""
    return JobUnit(key=str(connection.uid), label=connection.name)


def register_transfer_job() -> None:
    """Called once, when the app is ready."""
    register_job(
        JobHandler(
            key=TRANSFER_JOB_KEY,
            name="CRM/Clinical Operations Transfer",
            list_units=list_transfer_units,
            execute=run_transfer,
            about="Runs every Active connection: sends studies, sites and Clinical Activities to its CRM, and receives "
            "its calls as Medical Activities. What cannot go is a user exception, and is tried again by the next run.",
            idle="no connection is Active",
            part_labels=dict(IntegrationKind.choices),
        )
    )
