"""The jobs that work on connections, by key, and the unit and the lease that a connection is for them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from connections.models import Connection, ConnectionSchedule
from ctms.core.choices import RecordStatus
from ctms.jobs.registry import JobUnit

if TYPE_CHECKING:
    from django.db.models import QuerySet

TRANSFER_JOB_KEY = "crm_clinical_operations_transfer"
LIVE_JOB_KEY = "crm_transfer_as_it_happens"
RECONCILIATION_JOB_KEY = "crm_reconciliation"
PREVIEW_JOB_KEY = "crm_transfer_preview"
ONE_RECORD_JOB_KEY = "crm_one_record"
TRANSFER_JOB_KEYS = (TRANSFER_JOB_KEY, LIVE_JOB_KEY)  # of those, the ones that move records
JOB_KEYS = (TRANSFER_JOB_KEY, LIVE_JOB_KEY, RECONCILIATION_JOB_KEY, PREVIEW_JOB_KEY, ONE_RECORD_JOB_KEY)


def list_transfer_units() -> list[JobUnit]:
    """Return a unit for every active connection that is not paused."""
    return [build_unit(connection) for connection in list_open_connections()]


def list_scheduled_transfer_units() -> list[JobUnit]:
    """Return a unit for every active connection that is not paused, with its own schedule if it has one."""
    return [build_scheduled_unit(connection) for connection in list_open_connections().select_related("schedule")]


def list_open_connections() -> QuerySet[Connection]:
    """Return the connections that are transferred: Active, and not paused."""
    return Connection.objects.filter(status=RecordStatus.ACTIVE, paused_at=None)


def build_scheduled_unit(connection: Connection) -> JobUnit:
    """Build the unit that transfers one connection, with its own schedule if it has one."""
    own: ConnectionSchedule | None = getattr(connection, "schedule", None)
    return replace(build_unit(connection), schedule=own if own is not None and own.is_own else None)


def build_unit(connection: Connection) -> JobUnit:
    """Build the unit that transfers one connection; its `key` is the connection's UID."""
    return JobUnit(key=str(connection.uid), label=connection.name)


def build_lease_key(connection: Connection) -> str:
    """Return the key of the lease that a run of this connection holds, of any of the jobs."""
    return f"{TRANSFER_JOB_KEY}:{connection.uid}"
