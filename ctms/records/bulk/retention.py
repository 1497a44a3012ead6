"""How long bulk edits, imports, undos and hand-overs are kept, and drafts that nobody confirmed."""

from __future__ import annotations

from datetime import datetime

from ctms.jobs.models import Lease
from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from ctms.records.bulk.operations import JOB_KEY, UNFINISHED
from ctms.records.choices import OperationState
from ctms.records.models import BulkOperation, OperationProblem

_ENDED = (OperationState.DONE, OperationState.FAILED)


def register_retention_rules() -> None:
    """Register the kinds of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="drafts",
            name="Unconfirmed operations",
            models=(BulkOperation, OperationProblem),
            find=lambda before: _find(before, states=(OperationState.DRAFT,), field="created_at"),
            setting="DRAFT_RETENTION_DAYS",
            keeps="With their files. Whoever wants one after that uploads the file, or chooses the records, again.",
            position=430,
        )
    )
    register_retention(
        RetentionRule(
            key="operations",
            name="Bulk edits and imports",
            models=(BulkOperation, OperationProblem, Lease),
            find=_find_ended,
            setting="OPERATION_RETENTION_DAYS",
            keeps="Those that have not ended. What they changed, and how to undo it, stays in the audit trail; their "
            "files are gone once they are done.",
            position=440,
        )
    )


def _find_ended(before: datetime) -> list[OldRows]:
    """Return ended operations, and the leases that they leave behind: each had a unit of its own."""
    in_use = BulkOperation.objects.filter(state__in=(OperationState.DRAFT, *UNFINISHED)).only("uid", "state")
    keys = [f"{JOB_KEY}:{prefix}{each.uid}" for each in in_use for prefix in ("", "check:")]
    leases = Lease.objects.filter(key__startswith=f"{JOB_KEY}:", is_held=False, run=None).exclude(key__in=keys)
    return [*_find(before, states=_ENDED, field="finished_at"), OldRows(rows=leases)]


def _find(before: datetime, *, states: tuple[OperationState, ...], field: str) -> list[OldRows]:
    # An import may have a problem in each of many thousand rows: they go batch by batch as well.
    old = BulkOperation.objects.filter(state__in=states, **{f"{field}__lt": before})
    return [OldRows(rows=OperationProblem.objects.filter(operation__in=old)), OldRows(rows=old)]
