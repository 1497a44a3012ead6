"""The job that deletes attempts of the transfer which are older than a setting allows."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings

from crm_sync.models import TransferAttempt
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from ctms.jobs.retention import delete_in_batches

RETENTION_JOB_KEY = "transfer_attempt_retention"
_HOUR = 3
_ATTEMPTS = "attempts"  # key in the run's result


def register_retention_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=RETENTION_JOB_KEY,
            name="Delete Old Transfer Attempts",
            list_units=_list_units,
            execute=delete_old_attempts,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Deletes attempts of the transfer that are older than TRANSFER_HISTORY_DAYS days "
            f"({settings.TRANSFER_HISTORY_DAYS} now).",
            idle="TRANSFER_HISTORY_DAYS is 0, so everything is kept",
            part_labels={_ATTEMPTS: "Transfer attempts"},
        )
    )


def delete_old_attempts(context: RunContext) -> RunOutcome:
    """Delete what is older than the setting allows, batch by batch. Raises the errors of its lease."""
    oldest = get_now() - timedelta(days=settings.TRANSFER_HISTORY_DAYS)
    deleted = delete_in_batches(context=context, rows=TransferAttempt.objects.filter(at__lt=oldest))
    return RunOutcome(
        state=RunState.SUCCEEDED,
        message=f"Deleted: {deleted:,} attempts.",
        result={_ATTEMPTS: {"deleted": deleted}},
    )


def _list_units() -> list[JobUnit]:
    return [JobUnit(key="all", label="")] if settings.TRANSFER_HISTORY_DAYS else []
