"""The transactions in which a bulk operation goes on: only while nobody else has moved it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from ctms.jobs.leases import LeaseHandle, LeaseLostError
from ctms.records.models import BulkOperation

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


def _hold(operation: BulkOperation) -> None:
    # Not SELECT … FOR UPDATE: an update that changes nothing locks the row and asks for its state at once.
    held = BulkOperation.objects.filter(pk=operation.pk, state=operation.state, done=operation.done)
    if not held.update(done=operation.done):
        raise OperationMovedError("Another run goes on with this operation, or it was dropped; this one stops here.")
