"""Services of bulk operations: a page creates one, its user confirms it, and a job does it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.audit.actors import Actor
from ctms.audit.change_sets import ChangeSet
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.configuration.registry import UnknownObjectError
from ctms.core.clock import get_database_now, get_now
from ctms.core.errors import VaultError
from ctms.jobs.choices import UNFINISHED_STATES, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.queue import queue_runs
from ctms.jobs.registry import JobUnit
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.choices import OperationKind, OperationState
from ctms.records.models import BulkOperation, OperationProblem

JOB_KEY = "records.bulk"
# Waiting for a worker, or running.
UNFINISHED = (OperationState.CHECKING, OperationState.QUEUED, OperationState.RUNNING)
# Waiting for its user, or ended.
_WORTH_A_LOOK = (OperationState.DRAFT, OperationState.DONE, OperationState.FAILED)
_DRAFTS_ARE_KEPT = timedelta(days=1)
_CHECK = "check:"
# In the plan of a confirmed operation: the IP address of the request that confirmed it.
ADDRESS = "address"


class OperationTakenError(VaultError):
    """The operation was confirmed already, or is not ready to be."""


def create_operation(
    *, user: User, object_name: str, kind: OperationKind, plan: Mapping[str, Any], content: str, total: int
) -> BulkOperation:
    """Create an operation, to be checked before it can be confirmed. Drop the user's drafts older than a day."""
    BulkOperation.objects.filter(
        user=user,
        state__in=(OperationState.DRAFT, OperationState.CHECKING),
        created_at__lt=get_now() - _DRAFTS_ARE_KEPT,
    ).delete()
    return BulkOperation.objects.create(
        user=user,
        of_object=object_name,
        kind=kind,
        state=OperationState.CHECKING,
        plan=dict(plan),
        content=content,
        total=total,
    )


def leave_unchecked(operation: BulkOperation) -> None:
    """Let a new operation wait for its user, who has to answer a question before it can be checked."""
    BulkOperation.objects.filter(pk=operation.pk, state=OperationState.CHECKING).update(state=OperationState.DRAFT)


def restart_operation(*, operation: BulkOperation, plan: Mapping[str, Any], content: str, total: int) -> None:
    """Replace what an operation that was not confirmed is about, so that it is checked again.

    Raises OperationTakenError if it was confirmed already, or is being checked.
    """
    restarted = BulkOperation.objects.filter(pk=operation.pk, state=OperationState.DRAFT).update(
        state=OperationState.CHECKING,
        plan=operation.plan | dict(plan),
        content=content,
        total=total,
        done=0,
        failed=0,
        counts={},
        seen_at=None,
    )
    if not restarted:
        raise OperationTakenError("This was started already, or is still being checked.")
    operation.problems.all().delete()
    operation.refresh_from_db()


def list_operations(user: User) -> QuerySet[BulkOperation]:
    """Return the operations that the user may look at: their own, or all of them for a user who manages jobs.

    `content` and `basis` are deferred, because an operation may hold many rows.
    """
    operations = BulkOperation.objects.defer("content", "basis").select_related("user")
    return operations if has_permission(user=user, permission="admin:jobs") else operations.filter(user=user)


def is_open_to(*, operation: BulkOperation, user: User) -> bool:
    """Whether the user may see the operation's values, which may come from records that others cannot see."""
    return operation.user_id == user.pk or user.is_superuser


def list_problems(*, operation: BulkOperation, user: User) -> QuerySet[OperationProblem]:
    """Return the operation's problems: all if it is open to the user, otherwise those of records that the user sees."""
    problems = operation.problems.all()
    if is_open_to(operation=operation, user=user):
        return problems
    try:
        access = open_object(user=user, object_name=operation.of_object)
    except (AccessRefusedError, UnknownObjectError):
        return problems.none()
    return problems.filter(record_uid__in=access.list_records().order_by().values("uid"))


def list_recent_operations(*, user: User, object_name: str, limit: int = 5) -> list[BulkOperation]:
    """Return the user's latest confirmed operations on an object."""
    own = BulkOperation.objects.defer("content", "basis", "plan").filter(user=user, of_object=object_name)
    return list(own.exclude(state__in=(OperationState.DRAFT, OperationState.CHECKING))[:limit])


def list_unseen(user_id: int, since: datetime) -> QuerySet[BulkOperation]:
    """Return the user's operations since then that wait for the user or ended, and that the user has not seen."""
    # What a notification shows.
    shown = ("uid", "kind", "of_object", "state", "plan", "message", "failed", "finished_at", "created_at")
    unseen = BulkOperation.objects.only(*shown).filter(user_id=user_id, seen_at=None, state__in=_WORTH_A_LOOK)
    return unseen.filter(created_at__gt=since)


def note_seen(*, operation: BulkOperation, user: User) -> None:
    """Note that the user has seen their own operation in its present state, so that it is no longer a notification."""
    if operation.user_id == user.pk and operation.seen_at is None and operation.state in _WORTH_A_LOOK:
        BulkOperation.objects.filter(pk=operation.pk, state=operation.state).update(seen_at=get_now())


def queue_check(operation: BulkOperation) -> None:
    """Queue a run of the job that checks the operation."""
    _queue(operation=operation, user=operation.user)


def confirm_operation(
    *, operation: BulkOperation, actor: Actor, plan: Mapping[str, Any] | None = None, is_queued: bool = True
) -> None:
    """Hand a checked operation to the job, with the last choices of the user, and write an audit entry.

    Without `is_queued` no run is queued: the caller does it at once.

    The job writes with the address from which it was confirmed.

    Problems found by the check are dropped; doing the operation finds those that remain. Raises OperationTakenError if
    it was confirmed already.
    """
    with transaction.atomic():
        confirmed = BulkOperation.objects.filter(pk=operation.pk, state=OperationState.DRAFT).update(
            state=OperationState.QUEUED,
            plan=operation.plan | dict(plan or {}) | {ADDRESS: actor.address},
            done=0,
            failed=0,
            counts={},
            seen_at=None,
        )
        if not confirmed:
            raise OperationTakenError("This was started already, or is still being checked.")
        operation.problems.all().delete()
        operation.refresh_from_db(fields=["state", "plan", "done", "failed", "counts"])
        record_event(
            actor=actor,
            action=AuditAction.EVENT,
            object_name=operation.of_object,
            changes={"operation": [None, str(operation.uid)], "records": [None, operation.total]},
            reason=f"{operation.get_kind_display()} confirmed",
        )
        if is_queued:
            _queue(operation=operation, user=actor.user)


def is_abandoned(operation: BulkOperation) -> bool:
    """Whether the operation is unfinished, but has neither an unfinished run nor a lease that is held."""
    return (
        operation.state in UNFINISHED
        and not JobRun.objects.filter(
            definition__key=JOB_KEY, unit_key=build_unit(operation).key, state__in=UNFINISHED_STATES
        ).exists()
        and not Lease.objects.filter(key=build_lease_key(operation), is_held=True).exists()
        # Its run may have moved it on, and ended, since it was read.
        and BulkOperation.objects.filter(pk=operation.pk, state=operation.state).exists()
    )


def continue_operation(*, operation: BulkOperation, user: User) -> None:
    """Queue an abandoned operation again, to continue where it stopped. Do nothing if it is not abandoned."""
    if is_abandoned(operation):
        _queue(operation=operation, user=user)


def reopen_draft(operation: BulkOperation) -> bool:
    """Let an operation that was not confirmed wait for a check again; False if it was confirmed or dropped."""
    operations = BulkOperation.objects.filter(pk=operation.pk, state=OperationState.DRAFT)
    if not operations.update(state=OperationState.CHECKING, seen_at=None):
        return False
    operation.state = OperationState.CHECKING
    return True


def discard_operation(operation: BulkOperation) -> None:
    """Drop an operation that was not confirmed."""
    BulkOperation.objects.filter(pk=operation.pk, state=OperationState.DRAFT).delete()


def read_undone(operation: BulkOperation) -> ChangeSet:
    """Return the change set that an operation undoes. Raises VaultError if its plan names none."""
    change_set = ChangeSet.read(**operation.plan.get("undoes", {"kind": "", "key": ""}))
    if change_set is None:
        raise VaultError("This operation does not say what it undoes. Start again.")
    return change_set


def build_unit(operation: BulkOperation) -> JobUnit:
    """Return the unit of the job for the operation; a check has its own unit, so that check and work never wait."""
    key = f"{_CHECK}{operation.uid}" if operation.state == OperationState.CHECKING else str(operation.uid)
    return JobUnit(key=key, label=f"{operation} by {operation.user}"[:128])


def is_check(unit_key: str) -> bool:
    """Whether a unit stands for checking an operation rather than doing it."""
    return unit_key.startswith(_CHECK)


def build_lease_key(operation: BulkOperation, *, state: OperationState | None = None) -> str:
    """Return the key of the lease that a run of the operation's unit holds, for work on it outside of a run.

    `state` is the state that the operation is about to have.
    """
    is_checked = (state or operation.state) == OperationState.CHECKING
    return f"{JOB_KEY}:{_CHECK if is_checked else ''}{operation.uid}"


def find_operation(unit_key: str) -> BulkOperation:
    """Return the operation of a unit. Raises VaultError if it was dropped."""
    uid = UUID(unit_key.removeprefix(_CHECK))
    found = BulkOperation.objects.select_related("user").filter(uid=uid).first()
    if found is None:
        raise VaultError("The operation was dropped before it was done.")
    return found


def _queue(*, operation: BulkOperation, user: User) -> None:
    queue_runs(
        definition=JobDefinition.objects.get(key=JOB_KEY),
        units=[build_unit(operation)],
        slot=get_database_now(),
        trigger=RunTrigger.START_NOW,
        user=user,
    )
