"""Writes a batch: new and changed records together in few statements, deletions one by one with what goes along."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.audit.actors import Actor
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess
from ctms.records.api.batches.bodies import BatchRequest
from ctms.records.api.batches.planning import BatchPlanner, PlannedRow
from ctms.records.api.batches.problems import describe_draft
from ctms.records.api.serializers import UID
from ctms.records.writing.bulk_write import REFUSALS, write_each, write_together
from ctms.records.writing.services import RACE, delete_with_parts

_ATTEMPTS = 3
_STATUS = {"created": 201, "changed": 200, "unchanged": 200, "deleted": 204, "not_written": 424}
_WRITTEN = frozenset({"created", "changed", "deleted"})


def write_batch(*, access: ObjectAccess, batch: BatchRequest, actor: Actor) -> dict[str, Any]:
    """Write the rows of a batch, and return the answer: what became of each, in their order.

    If somebody else writes meanwhile, the rows are planned again; at the last attempt they are written one by one.
    """
    planner = BatchPlanner(access=access, requests=batch.rows, actor=actor)
    for attempt in range(_ATTEMPTS + 1):
        rows = planner.plan()
        try:
            is_saved = _write(access=access, rows=rows, batch=batch, actor=actor, is_one_by_one=attempt == _ATTEMPTS)
        except REFUSALS:
            continue
        return _describe(rows=rows, batch=batch, is_saved=is_saved)
    raise ValidationError(RACE)


def has_written(answer: dict[str, Any]) -> bool:
    """Whether the answer tells of anything that was written."""
    return bool(answer["is_saved"] and answer["counts"].keys() & _WRITTEN)


def _write(
    *, access: ObjectAccess, rows: Sequence[PlannedRow], batch: BatchRequest, actor: Actor, is_one_by_one: bool
) -> bool:
    """Write the sound rows; return whether they stay. Raises one of `REFUSALS` if not one by one."""
    if batch.all_or_none and _is_refused(rows):
        return False
    drafts = [row.draft for row in rows if row.draft is not None]
    with transaction.atomic():
        if is_one_by_one:
            write_each(access=access, drafts=drafts, actor=actor)
            _note_refusals(rows)
        else:
            write_together(drafts=drafts, actor=actor)
        for row in rows:
            if row.is_deletion and row.problem is None:
                _delete(access=access, row=row, actor=actor)
        is_saved = not batch.dry_run and not (batch.all_or_none and _is_refused(rows))
        if not is_saved:
            transaction.set_rollback(True)
    return is_saved


def _delete(*, access: ObjectAccess, row: PlannedRow, actor: Actor) -> None:
    try:
        with transaction.atomic():
            delete_with_parts(access=access, record=row.record, actor=actor, expected_version=row.record.version)
    except (VaultError, ValidationError) as error:
        row.refuse(error)


def _is_refused(rows: Sequence[PlannedRow]) -> bool:
    return any(row.problem is not None for row in rows)


def _note_refusals(rows: Sequence[PlannedRow]) -> None:
    for row in rows:
        if row.problem is None and row.draft is not None and row.draft.problems:
            row.problem = describe_draft(row.draft)


def _describe(*, rows: Sequence[PlannedRow], batch: BatchRequest, is_saved: bool) -> dict[str, Any]:
    is_stopped = batch.all_or_none and _is_refused(rows)
    results = [_describe_row(row, is_stopped=is_stopped, is_saved=is_saved) for row in rows]
    return {
        "is_saved": is_saved,
        "counts": dict(Counter(each["outcome"] for each in results)),
        "results": results,
    }


def _describe_row(row: PlannedRow, *, is_stopped: bool, is_saved: bool) -> dict[str, Any]:
    outcome = _find_outcome(row, is_stopped=is_stopped)
    record = row.draft.record if row.draft is not None else row.record
    # The uid of a record that is not saved is told only if the caller has it.
    is_known = is_saved or row.record is not None or UID in row.body
    has_version = record is not None and outcome in ("created", "changed", "unchanged")
    return {
        "row": row.number,
        "outcome": outcome,
        "status": row.problem.status if row.problem is not None else _STATUS[outcome],
        "uid__sys": str(record.uid) if record is not None and is_known else None,
        "version": record.version if has_version else None,
        "problem": row.problem.describe() if row.problem is not None else None,
    }


def _find_outcome(row: PlannedRow, *, is_stopped: bool) -> str:
    if row.problem is not None:
        return "refused"
    if is_stopped:
        return "not_written"
    return "deleted" if row.is_deletion else row.draft.outcome if row.draft is not None else "not_written"
