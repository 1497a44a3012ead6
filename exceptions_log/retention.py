"""The job that deletes user exceptions which were resolved long ago, and messages of which nothing is left."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from ctms.jobs.retention import delete_in_batches
from exceptions_log.models import ExceptionItem, ExceptionMessage

RETENTION_JOB_KEY = "user_exception_retention"
_HOUR = 3
_ITEMS, _MESSAGES = "items", "messages"  # keys in the run's result


def register_retention_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=RETENTION_JOB_KEY,
            name="Delete Resolved User Exceptions",
            list_units=_list_units,
            execute=delete_resolved,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Deletes User Exception Items that were resolved more than EXCEPTION_RETENTION_DAYS days ago "
            f"({settings.EXCEPTION_RETENTION_DAYS} now), and Inactive messages of that age without items. What fails, "
            "or is dismissed, stays.",
            idle="EXCEPTION_RETENTION_DAYS is 0, so everything is kept",
            part_labels={_ITEMS: "User Exception Items", _MESSAGES: "User Exception Messages"},
        )
    )


def delete_resolved(context: RunContext) -> RunOutcome:
    """Delete what is older than the setting allows, batch by batch. Raises the errors of its lease."""
    oldest = get_now() - timedelta(days=settings.EXCEPTION_RETENTION_DAYS)
    items = delete_in_batches(context=context, rows=ExceptionItem.objects.filter(resolved_at__lt=oldest))
    left = ExceptionItem.objects.filter(message=OuterRef("pk"))
    empty = ExceptionMessage.objects.filter(~Exists(left), status=RecordStatus.INACTIVE, created_at__lt=oldest)
    messages = delete_in_batches(context=context, rows=empty)
    return RunOutcome(
        state=RunState.SUCCEEDED,
        message=f"Deleted: {items:,} resolved items, {messages:,} empty messages.",
        result={_ITEMS: {"deleted": items}, _MESSAGES: {"deleted": messages}},
    )


def _list_units() -> list[JobUnit]:
    return [JobUnit(key="all", label="")] if settings.EXCEPTION_RETENTION_DAYS else []
