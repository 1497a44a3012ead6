"""Transactions that write a batch of an operation, and fail if another run has continued the operation meanwhile."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import transaction

from ctms.jobs.errors import LeaseLostError
from ctms.jobs.leases import LeaseHandle
from ctms.records.models import BulkOperation, OperationProblem
from ctms.records.writing.bulk_write import RowDraft, count_outcomes

_PROBLEMS_AT_ONCE = 500
_KEPT = ("state", "done", "failed", "counts", "message", "finished_at", "content", "basis", "plan")


class OperationMovedError(LeaseLostError):
    """The operation is not as this run left it: another run continued it, or it was dropped."""


@contextmanager
def writing(operation: BulkOperation) -> Iterator[None]:
    """Open a transaction that writes rows together with the operation's progress.

    It first locks the operation, which must have the state and row at which this run left it, so that of two runs one
    writes and the other stops, whatever their leases. If the transaction fails, the fields of `operation` are reset.
    Raises OperationMovedError.
    """
    before = {name: getattr(operation, name) for name in _KEPT}
    try:
        with transaction.atomic():
            _hold(operation)
            yield
    except BaseException:
        for name, value in before.items():
            setattr(operation, name, value)
        raise


def renew(*, operation: BulkOperation, lease: LeaseHandle | None) -> None:
    """Renew the lease of the run, if there is one, with the operation's progress. Raises LeaseLostError."""
    if lease is not None:
        lease.renew(progress={operation.of_object: {"rows": operation.total, "done": operation.done}})


def note_drafts(*, operation: BulkOperation, drafts: Sequence[RowDraft], lease: LeaseHandle | None) -> None:
    """Store the operation's progress and the problems and warnings of the drafts, with the rows."""
    counts = Counter(operation.counts) + Counter(count_outcomes(drafts))
    operation.counts = dict(counts)
    operation.done += len(drafts)
    operation.failed = counts["failed"]
    renew(operation=operation, lease=lease)
    operation.save(update_fields=["done", "failed", "counts"])
    OperationProblem.objects.bulk_create(
        [
            OperationProblem(
                operation=operation,
                kind=problem.kind,
                position=draft.number,
                record_uid=problem.record.uid if problem.record is not None else draft.stored_uid,
                record_name=str(problem.record if problem.record is not None else draft.name)[:255],
                field_label=problem.label[:128],
                value=problem.value[:255],
                message=problem.message,
            )
            for draft in drafts
            for problem in (*draft.problems, *draft.questions)
        ],
        batch_size=_PROBLEMS_AT_ONCE,
    )


def _hold(operation: BulkOperation) -> None:
    # Not SELECT … FOR UPDATE: an update that changes nothing locks the row and compares its state in one statement.
    held = BulkOperation.objects.filter(pk=operation.pk, state=operation.state, done=operation.done)
    if not held.update(done=operation.done):
        raise OperationMovedError("Another run goes on with this operation, or it was dropped; this one stops here.")
