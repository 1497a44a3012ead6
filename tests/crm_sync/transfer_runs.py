"""Runs of the transfer that ended at chosen times, without a CRM."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from connections.models import Connection
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.core.choices import RecordStatus
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.services import set_job_status
from tests.factories.base import build_admin_actor


def add_run(connection: Connection, state: RunState, *, at: datetime, **values: Any) -> JobRun:
    ended = None if state in (RunState.QUEUED, RunState.RUNNING) else at
    return JobRun.objects.create(
        definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY),
        unit_key=str(connection.uid),
        slot=at,
        queued_at=at,
        finished_at=ended,
        state=state,
        **values,
    )


def activate_job(*, counted_from: datetime, next_run_at: datetime) -> None:
    """Activate the hourly job as if that had been done at a time in the past."""
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    JobClock.objects.filter(definition__key=TRANSFER_JOB_KEY).update(
        counted_from=counted_from, next_run_at=next_run_at, counted_after=0
    )
