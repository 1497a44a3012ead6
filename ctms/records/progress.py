"""The transactions in which a bulk operation goes on: only while nobody else has moved it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from django.db import transaction

from ctms.jobs.leases import LeaseHandle, LeaseLostError
from ctms.records.batches import RowDraft, count_outcomes
from ctms.records.models import BulkOperation, OperationProblem

_PROBLEMS_AT_ONCE = 500
_KEPT = ("state", "done", "failed", "counts", "message", "finished_at")


class OperationMovedError(LeaseLostError):
    """The operation is not as this run left it: another one goes on with it, or it was dropped."""


@contextmanager
def writing(operation: BulkOperation) -> Iterator[None]:
    """A transaction that writes rows together with how far the operation is.

    It first takes hold of the operation, which has to be in the state and at the row at which this run left it, so that
    of two runs, whatever their leases, one writes and the other stops. The object is as it was if nothing was written.
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
    """Renew the lease of the run, if there is one, and show how far it is. Raises LeaseLostError."""
    if lease is not None:
        lease.renew(progress={operation.of_object: {"rows": operation.total, "done": operation.done}})


def note_drafts(*, operation: BulkOperation, drafts: Sequence[RowDraft], lease: LeaseHandle | None) -> None:
    """Store how far the operation is and what went wrong with rows, in the transaction that writes them."""
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
                position=draft.number,
                record_uid=draft.record.uid if draft.record is not None and not draft.is_new else None,
                record_name=draft.name[:255],
                field_label=problem.label[:128],
                value=problem.value[:255],
                message=problem.message,
            )
            for draft in drafts
            for problem in draft.problems
        ],
        batch_size=_PROBLEMS_AT_ONCE,
    )


def _hold(operation: BulkOperation) -> None:
    # Not SELECT … FOR UPDATE: an update that changes nothing locks the row and asks for its state at once.
    held = BulkOperation.objects.filter(pk=operation.pk, state=operation.state, done=operation.done)
    if not held.update(done=operation.done):
        raise OperationMovedError("Another run goes on with this operation, or it was dropped; this one stops here.")
