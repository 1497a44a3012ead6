"""The job Housekeeping, which deletes daily what has ended and is older than the settings allow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from django.db import IntegrityError

from ctms.core.clock import get_now
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from ctms.jobs.retention import RetentionRule, delete_in_batches, list_retention_rules, read_names

if TYPE_CHECKING:
    from datetime import datetime

log = structlog.get_logger(__name__)

HOUSEKEEPING_JOB_KEY = "housekeeping"
# The jobs of earlier versions that deleted one kind each.
REPLACED_JOB_KEYS = ("user_exception_retention", "transfer_attempt_retention")
_HOUR = 3
_DELETED = "deleted"


def register_housekeeping_job() -> None:
    """Register the job; called once, when the app is ready."""
    register_job(
        JobHandler(
            key=HOUSEKEEPING_JOB_KEY,
            name="Housekeeping",
            list_units=lambda: [JobUnit(key="all", label="")],
            execute=keep_house,
            frequency=Frequency.DAILY,
            hour=_HOUR,
            about="Deletes what has ended and is older than the settings allow: runs, resolved exceptions, deliveries, "
            "notifications and so on; Kept rows, on the list of jobs, says what and for how long. Records and the "
            "audit trail are never deleted.",
            part_labels=read_names(),
            replaces=REPLACED_JOB_KEYS,
        )
    )


def keep_house(context: RunContext) -> RunOutcome:
    """Delete kind by kind, batch by batch. Raises the errors of its lease; a run that follows goes on from there.

    A kind whose rows cannot be deleted fails the run and keeps none of the others.
    """
    now = get_now()
    result: dict[str, dict[str, int]] = {}
    troubles: list[str] = []
    for rule in list_retention_rules():
        if rule.is_kept_for_ever:
            continue
        try:
            _delete_kind(context=context, rule=rule, now=now, result=result)
        except IntegrityError:  # also what a relation protects: something that the rule does not know needs the rows
            log.exception("housekeeping_kind_failed", kind=rule.key)
            troubles.append(f"{rule.name} could not be deleted: something refers to them. The worker's log says what.")
    told = [f"{counts[_DELETED]:,} {read_names()[key].lower()}" for key, counts in result.items() if counts[_DELETED]]
    message = f"Deleted: {', '.join(told)}." if told else "Nothing was old enough to be deleted."
    return RunOutcome(
        state=RunState.FAILED if troubles else RunState.SUCCEEDED,
        message=" ".join([*troubles, message]),
        result=result,
    )


def _delete_kind(*, context: RunContext, rule: RetentionRule, now: datetime, result: dict[str, dict[str, int]]) -> None:
    """Delete what is old of one kind; the progress of the run is what was deleted of each kind so far."""
    counts = result.setdefault(rule.key, {_DELETED: 0})
    for old in rule.find_old(now=now):
        before = counts[_DELETED]
        is_counted = old.rows.model is rule.models[0]

        def report_progress(deleted: int, *, before: int = before, is_counted: bool = is_counted) -> dict[str, Any]:
            if is_counted:
                counts[_DELETED] = before + deleted
            return {key: dict(each) for key, each in result.items()}

        deleted = delete_in_batches(context=context, old=old, report_progress=report_progress)
        counts[_DELETED] = before + (deleted if is_counted else 0)
