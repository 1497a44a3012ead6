"""Register the transfer, its preview and the reconciliation as jobs with a unit for each active connection.

So no organisation waits for another. These jobs share the lease of a connection, so that neither sees the other's
half-done work.
"""

from __future__ import annotations

from functools import partial

from connections.choices import IntegrationKind
from crm_sync.engine.run import run_transfer
from crm_sync.live.run import follow_run, run_live
from crm_sync.live.waking import wake_connections
from crm_sync.one_record.sending import report_interrupted
from crm_sync.preview.run import run_preview
from crm_sync.reconciliation.run import run_reconciliation
from crm_sync.units import (
    JOB_KEYS,
    LIVE_JOB_KEY,
    ONE_RECORD_JOB_KEY,
    PREVIEW_JOB_KEY,
    RECONCILIATION_JOB_KEY,
    TRANSFER_JOB_KEY,
    build_lease_key,
    build_scheduled_unit,
    build_unit,
    list_scheduled_transfer_units,
    list_transfer_units,
)
from ctms.jobs.choices import Frequency, JobQueue
from ctms.jobs.registry import JobHandler, register_job

__all__ = [
    "JOB_KEYS",
    "LIVE_JOB_KEY",
    "ONE_RECORD_JOB_KEY",
    "PREVIEW_JOB_KEY",
    "RECONCILIATION_JOB_KEY",
    "TRANSFER_JOB_KEY",
    "build_lease_key",
    "build_scheduled_unit",
    "build_unit",
    "list_scheduled_transfer_units",
    "list_transfer_units",
    "register_jobs",
]


def register_jobs() -> None:
    """Register the jobs; called once, when the app is ready."""
    look_again = partial(follow_run, wake=wake_connections)
    register_job(
        JobHandler(
            key=TRANSFER_JOB_KEY,
            name="CRM/Clinical Operations Transfer",
            list_units=list_scheduled_transfer_units,
            has_unit_schedules=True,
            execute=run_transfer,
            leaves=True,
            queue=JobQueue.TRANSFERS,
            about="Runs every Active connection: sends studies, sites and Clinical Activities to its CRM, and receives "
            "its calls as Medical Activities. What cannot go is a user exception, and is tried again by the next run.",
            idle="no connection is Active, or each one is paused",
            part_labels=dict(IntegrationKind.choices),
            after=look_again,
        )
    )
    register_job(
        JobHandler(
            key=LIVE_JOB_KEY,
            name="CRM Transfer as It Happens",
            list_units=list,
            execute=partial(run_live, regular_job=TRANSFER_JOB_KEY),
            leaves=True,
            queue=JobQueue.LIVE,
            is_active=True,
            about="Sends what was just saved, and fetches calls every minute, for Active connections whose transfer is "
            "set to As it happens. It starts by itself: no schedule makes it due. Only runs that moved something, or "
            "failed, are listed. Make it Inactive to let all connections transfer hourly.",
            idle="it is started by changes, and by no schedule",
            part_labels=dict(IntegrationKind.choices),
            lease_name=TRANSFER_JOB_KEY,
            after=look_again,
        )
    )
    register_job(
        JobHandler(
            key=RECONCILIATION_JOB_KEY,
            name="Reconcile CRM",
            list_units=list_transfer_units,
            execute=run_reconciliation,
            leaves=True,
            frequency=Frequency.DAILY,
            hour=2,
            about="Compares every record of every Active connection with the rows of its CRM, and says one word of "
            "each. What nothing explains is listed on the connection's page Reconciliation, where it can be repaired.",
            idle="no connection is Active, or each one is paused",
            part_labels=dict(IntegrationKind.choices),
            queue=JobQueue.TRANSFERS,
            lease_name=TRANSFER_JOB_KEY,
            after=look_again,
        )
    )
    register_job(
        JobHandler(
            key=PREVIEW_JOB_KEY,
            name="Preview CRM Transfer",
            list_units=list_transfer_units,
            execute=run_preview,
            leaves=True,
            frequency=Frequency.DAILY,
            hour=1,
            about="Finds out what the next transfer of every Active connection would do with each record, and writes "
            "nothing else. The result is on the connection's page Preview Transfer, which also starts it.",
            idle="no connection is Active, or each one is paused",
            part_labels=dict(IntegrationKind.choices),
            queue=JobQueue.TRANSFERS,
            lease_name=TRANSFER_JOB_KEY,
            after=look_again,
        )
    )
    register_job(
        JobHandler(
            key=ONE_RECORD_JOB_KEY,
            name="Test One Record",
            list_units=list,
            execute=report_interrupted,
            about="Sends one record that an admin has chosen on a connection's page, and nothing else. The page runs "
            "it itself: no schedule makes it due.",
            idle="it is started on the page of a connection, and by no schedule",
            part_labels=dict(IntegrationKind.choices),
            queue=JobQueue.TRANSFERS,
            lease_name=TRANSFER_JOB_KEY,
            after=look_again,
        )
    )
