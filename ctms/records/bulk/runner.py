"""Checks and does bulk operations in batches.

Each batch is written in one transaction together with the operation's progress, under the lease of its run and only
while the operation is as this run left it. A run that takes over continues at the first row that is not written, so no
row is written twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from billiard.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from ctms.accounts.middleware import find_zone
from ctms.audit.actors import Actor
from ctms.audit.change_sets import build_reference
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.core.outages import find_outage_remedy
from ctms.jobs.errors import LeaseLostError, RunCancelledError
from ctms.jobs.leases import LeaseHandle, acquire_lease
from ctms.records.access import ObjectAccess, open_object
from ctms.records.bulk.basis import Basis
from ctms.records.bulk.edits import EditWork, drop_values
from ctms.records.bulk.handing_over.items import Item
from ctms.records.bulk.handing_over.work import TO, HandOverWork, find_new_owner
from ctms.records.bulk.imports.work import ImportOptions, ImportWork, open_content
from ctms.records.bulk.operations import (
    ADDRESS,
    UNFINISHED,
    OperationTakenError,
    build_lease_key,
    confirm_operation,
    queue_check,
    read_undone,
)
from ctms.records.bulk.progress import note_drafts, renew, writing
from ctms.records.choices import OperationKind, OperationState
from ctms.records.models import BulkOperation
from ctms.records.undo.history import Unit
from ctms.records.undo.work import UndoWork
from ctms.records.writing.bulk_write import REFUSALS, RowDraft, write_each, write_together

BATCH_ROWS = 500
CHECKED_AT_ONCE = 1000  # rows, up to which the request itself checks an operation
_ATTEMPTS = 3
_ENDED = ("state", "message", "finished_at", "content", "basis", "plan")
_SOURCES = {
    OperationKind.EDIT: "job",
    OperationKind.IMPORT: "import",
    OperationKind.UNDO: "page",
    OperationKind.HAND_OVER: "page",
}
# What was not written, by kind of operation.
_NOT_DONE = {
    OperationKind.EDIT: "not changed",
    OperationKind.IMPORT: "not imported",
    OperationKind.UNDO: "not undone",
    OperationKind.HAND_OVER: "not handed over",
}
# Errors that end the run but not the operation: another run continues it.
_INTERRUPTIONS = (LeaseLostError, SoftTimeLimitExceeded)


class Work(Protocol):
    """The rows of an operation, planned in batches; each kind of operation has a class for it, such as `EditWork`."""

    access: ObjectAccess

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        """Return drafts of the rows from `start` to before `stop`, from fresh data."""


def check_soon(operation: BulkOperation) -> None:
    """Check a new operation: at once if it is small, else by a job. A lease prevents that both do so at a time."""
    if operation.total > CHECKED_AT_ONCE:
        queue_check(operation)
        return
    lease = acquire_lease(key=build_lease_key(operation), run=None)
    if lease is None:
        return  # somebody started the job a moment ago
    try:
        check_operation(operation, lease=lease)
    except LeaseLostError:
        return  # this check was so slow that its lease ran out, and the job checks it now
    finally:
        lease.release()


def perform_at_once(operation: BulkOperation, *, actor: Actor, all_or_nothing: bool = True) -> bool:
    """Confirm and do a small checked operation in the request; False if somebody else confirmed or dropped it.

    If the process dies meanwhile, the job of bulk operations goes on with it.
    """
    lease = acquire_lease(key=build_lease_key(operation, state=OperationState.QUEUED), run=None)
    if lease is None:
        return False
    try:
        confirm_operation(operation=operation, actor=actor, plan={"all_or_nothing": all_or_nothing}, is_queued=False)
        perform_operation(operation, lease=lease)
    except (OperationTakenError, LeaseLostError):
        return False
    finally:
        lease.release()
    return True


def check_operation(operation: BulkOperation, *, lease: LeaseHandle | None = None) -> None:
    """Count what the operation would do and note its problems, without doing it; then its user can confirm it.

    The results of an earlier check are dropped. Nothing happens if the operation does not wait for a check. An error
    that concerns all rows ends it as Failed. Raises LeaseLostError if another run took over.
    """
    if operation.state != OperationState.CHECKING:
        return
    with _noting_failure(operation=operation, lease=lease), _as_user(operation):
        work = open_work(operation)
        with writing(operation):
            operation.problems.all().delete()
            operation.done, operation.failed, operation.counts = 0, 0, {}
            operation.save(update_fields=["done", "failed", "counts"])
            renew(operation=operation, lease=lease)
        basis = Basis(user=operation.user, own_reference=build_operation_actor(operation).reference)
        for start in range(0, operation.total, BATCH_ROWS):
            _stop_if_cancelled(lease)
            drafts = work.plan(start, start + BATCH_ROWS)
            basis.note(drafts)
            with writing(operation):
                note_drafts(operation=operation, drafts=drafts, lease=lease)
        with writing(operation):
            operation.state, operation.done, operation.basis = OperationState.DRAFT, 0, "\n".join(basis.lines)
            operation.save(update_fields=["state", "done", "basis"])
            renew(operation=operation, lease=lease)


def perform_operation(operation: BulkOperation, *, lease: LeaseHandle | None = None) -> None:
    """Do a confirmed operation from its first row that is not done to its end. Nothing happens if it has ended.

    An error that concerns all rows ends it as Failed. Raises LeaseLostError if another run took over.
    """
    if operation.state not in (OperationState.QUEUED, OperationState.RUNNING):
        return
    with _noting_failure(operation=operation, lease=lease), _as_user(operation):
        with writing(operation):
            operation.state = OperationState.RUNNING
            operation.save(update_fields=["state"])
            renew(operation=operation, lease=lease)
        work = _PreviewedWork(work=open_work(operation), basis=read_basis(operation))
        if operation.plan.get("all_or_nothing"):
            _write_all(operation=operation, work=work, lease=lease)
            return
        while operation.done < operation.total:
            _stop_if_cancelled(lease)
            _require_access(operation=operation, work=work)
            _write_batch(operation=operation, work=work, lease=lease)
        with writing(operation):
            renew(operation=operation, lease=lease)
            _finish(operation=operation, state=OperationState.DONE, message=_describe_outcome(operation))


class _PreviewedWork:
    """Work whose drafts are refused where they differ from what the user was shown."""

    def __init__(self, *, work: Work, basis: Basis) -> None:
        self.access = work.access
        self._work, self._basis = work, basis

    def plan(self, start: int, stop: int) -> list[RowDraft]:
        drafts = self._work.plan(start, stop)
        self._basis.compare(drafts=drafts, start=start)
        return drafts


def compare_with_check(*, operation: BulkOperation, drafts: Sequence[RowDraft], start: int) -> None:
    """Refuse drafts of a checked operation that are not what the check found. `start` is the position of the first."""
    read_basis(operation).compare(drafts=drafts, start=start)


def read_basis(operation: BulkOperation) -> Basis:
    """Return what the user of a checked operation was shown."""
    reference = build_operation_actor(operation).reference
    return Basis(user=operation.user, own_reference=reference, lines=operation.basis.splitlines())


def open_work(operation: BulkOperation) -> Work:
    """Return the operation's work, with its user's access and the present configuration. Raises VaultError."""
    access = open_object(user=operation.user, object_name=operation.of_object)
    if operation.kind == OperationKind.EDIT:
        return EditWork(access=access, uids=operation.content.split(), plan=operation.plan["values"])
    if operation.kind == OperationKind.UNDO:
        units = [Unit.read(line) for line in operation.content.splitlines()]
        return UndoWork(access=access, change_set=read_undone(operation), units=units)
    if operation.kind == OperationKind.HAND_OVER:
        items = [Item.read(line) for line in operation.content.splitlines()]
        return HandOverWork(access=access, items=items, to=find_new_owner(operation.plan.get(TO)))
    options = ImportOptions.read(operation.plan)
    return ImportWork(access=access, file=open_content(shape=access.shape, content=operation.content, options=options))


def _require_access(*, operation: BulkOperation, work: Work) -> None:
    """Read the user and their profile anew, so that what follows is planned with the rights of now.

    Raises VaultError if the user was deactivated, or lost the right to the object, since the last batch.
    """
    user = work.access.user
    user.refresh_from_db()
    open_object(user=user, object_name=operation.of_object, configuration=work.access.configuration)


def build_operation_actor(operation: BulkOperation) -> Actor:
    """Return the actor of the operation's writes: its user, with the operation named in the audit trail."""
    return Actor(
        user=operation.user,
        source=_SOURCES[OperationKind(operation.kind)],
        reference=build_reference(kind=operation.kind, uid=operation.uid),
        address=str(operation.plan.get(ADDRESS, "")),
        reason=str(operation.plan.get("reason", "")),
    )


def _write_batch(*, operation: BulkOperation, work: Work, lease: LeaseHandle | None) -> None:
    actor = build_operation_actor(operation)
    start, stop = operation.done, min(operation.done + BATCH_ROWS, operation.total)
    for _ in range(_ATTEMPTS):
        drafts = work.plan(start, stop)
        try:
            with writing(operation):
                write_together(drafts=drafts, actor=actor)
                note_drafts(operation=operation, drafts=drafts, lease=lease)
        except REFUSALS:
            continue
        else:
            return
    drafts = work.plan(start, stop)
    with writing(operation):
        write_each(access=work.access, drafts=drafts, actor=actor)
        note_drafts(operation=operation, drafts=drafts, lease=lease)


def _write_all(*, operation: BulkOperation, work: Work, lease: LeaseHandle | None) -> None:
    actor = build_operation_actor(operation)
    for _ in range(_ATTEMPTS):
        drafts = _plan_all(operation=operation, work=work, lease=lease)
        if any(draft.problems for draft in drafts):
            _refuse_all(operation=operation, drafts=drafts, lease=lease)
            return
        try:
            with writing(operation):
                renew(operation=operation, lease=lease)
                write_together(drafts=drafts, actor=actor)
                _finish_all(operation=operation, drafts=drafts, lease=lease)
        except REFUSALS:
            continue
        else:
            return
    drafts = _plan_all(operation=operation, work=work, lease=lease)
    with writing(operation):
        write_each(access=work.access, drafts=drafts, actor=actor)
        is_refused = any(draft.problems for draft in drafts)
        if is_refused:
            transaction.set_rollback(True)
        else:
            _finish_all(operation=operation, drafts=drafts, lease=lease)
    if is_refused:
        _refuse_all(operation=operation, drafts=drafts, lease=lease)


def _plan_all(*, operation: BulkOperation, work: Work, lease: LeaseHandle | None) -> list[RowDraft]:
    drafts: list[RowDraft] = []
    for start in range(0, operation.total, BATCH_ROWS):
        _stop_if_cancelled(lease)
        _require_access(operation=operation, work=work)
        drafts += work.plan(start, start + BATCH_ROWS)
        with writing(operation):
            operation.done = len(drafts)
            operation.save(update_fields=["done"])
            renew(operation=operation, lease=lease)
    return drafts


def _finish_all(*, operation: BulkOperation, drafts: Sequence[RowDraft], lease: LeaseHandle | None) -> None:
    operation.counts, operation.done = {}, 0
    note_drafts(operation=operation, drafts=drafts, lease=lease)
    _finish(operation=operation, state=OperationState.DONE, message=_describe_outcome(operation))


def _refuse_all(*, operation: BulkOperation, drafts: Sequence[RowDraft], lease: LeaseHandle | None) -> None:
    refused = [draft for draft in drafts if draft.problems]
    with writing(operation):
        operation.counts, operation.done = {}, 0
        note_drafts(operation=operation, drafts=refused, lease=lease)
        operation.done = 0
        _finish(
            operation=operation,
            state=OperationState.FAILED,
            message=_describe_refusal(operation=operation, number=len(refused)),
        )


def _stop_if_cancelled(lease: LeaseHandle | None) -> None:
    if lease is not None:
        lease.stop_if_cancelled()


def _finish(*, operation: BulkOperation, state: OperationState, message: str) -> None:
    operation.state, operation.message, operation.finished_at = state, message, get_now()
    # The audit trail has the changes, and undoing reads them there: nothing of the records is kept here.
    operation.content = operation.basis = ""
    operation.plan = drop_values(operation.plan)
    operation.save(update_fields=[*_ENDED, "done", "failed", "counts"])
    record_event(
        actor=build_operation_actor(operation),
        action=AuditAction.EVENT,
        object_name=operation.of_object,
        changes={name: [None, number] for name, number in operation.counts.items()},
        reason=f"{operation.get_kind_display()}: {message}",
    )


def _describe_outcome(operation: BulkOperation) -> str:
    words = {
        "created": "created",
        "changed": "handed over" if operation.kind == OperationKind.HAND_OVER else "changed",
        "unchanged": "already as they should be",
        "left_out": "left as they are",
        "deleted": "deleted",
        "restored": "brought back",
        "failed": _NOT_DONE[OperationKind(operation.kind)],
    }
    parts = [f"{operation.counts[name]:,} {word}" for name, word in words.items() if operation.counts.get(name)]
    return f"{', '.join(parts) or 'Nothing to do'}."


def _describe_refusal(*, operation: BulkOperation, number: int) -> str:
    if operation.kind == OperationKind.UNDO:
        return f"Nothing was undone: {number:,} of {operation.total:,} records cannot be put back."
    if operation.kind == OperationKind.HAND_OVER:
        return f"Nothing was handed over: {number:,} of {operation.total:,} records cannot be."
    return (
        f"Nothing was imported: {number:,} of {operation.total:,} rows cannot be. Correct them and upload the file "
        "again."
    )


@contextmanager
def _as_user(operation: BulkOperation) -> Iterator[None]:
    """Activate the time zone of the operation's user, in which the times of a file are read."""
    with timezone.override(find_zone(operation.user.time_zone)):
        yield


@contextmanager
def _noting_failure(*, operation: BulkOperation, lease: LeaseHandle | None) -> Iterator[None]:
    """End the operation as Failed on an error; after an interruption, leave it for another run to continue."""
    try:
        yield
    except _INTERRUPTIONS:
        raise
    except RunCancelledError as cancelled:
        _fail(operation=operation, message=str(cancelled), lease=lease)
        raise
    except VaultError as error:
        _fail(operation=operation, message=str(error), lease=lease)
    except Exception as error:
        if find_outage_remedy(error):
            raise
        message = f"An unexpected {type(error).__name__} stopped it; the worker's log has the details. Tell an admin."
        _fail(operation=operation, message=message, lease=lease)
        raise


def _fail(*, operation: BulkOperation, message: str, lease: LeaseHandle | None) -> None:
    if operation.state == OperationState.RUNNING and operation.done and not operation.plan.get("all_or_nothing"):
        message = f"{message} {operation.done:,} of {operation.total:,} rows were dealt with before."
    with writing(operation):
        renew(operation=operation, lease=lease)
        _finish(operation=operation, state=OperationState.FAILED, message=message)


def end_cancelled(operation: BulkOperation, *, message: str) -> None:
    """End an operation whose run was cancelled while no worker was doing it. Do nothing if it has ended already."""
    if operation.state in UNFINISHED:
        _fail(operation=operation, message=message, lease=None)


def describe_result(operation: BulkOperation) -> dict[str, Any]:
    """Return the operation's counts for the history of jobs, by object."""
    return {operation.of_object: operation.counts}
