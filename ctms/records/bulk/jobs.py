"""The job that does bulk edits and imports, with one unit for each operation."""

from __future__ import annotations

from billiard.exceptions import SoftTimeLimitExceeded

from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome, register_job
from ctms.records.bulk.operations import JOB_KEY, UNFINISHED, build_unit, find_operation, is_check
from ctms.records.bulk.runner import check_operation, describe_result, end_cancelled, perform_operation
from ctms.records.choices import OperationState
from ctms.records.models import BulkOperation


def register_bulk_job() -> None:
    """Register the job. Called once, when the app is ready."""
    register_job(
        JobHandler(
            key=JOB_KEY,
            name="Bulk Edits and Imports",
            list_units=list_waiting_units,
            execute=execute_operation,
            abandon=abandon_operation,
            has_lasting_units=False,
            about="Does the bulk edits and imports that users ask for, each as soon as it is asked for, Active or not. "
            "Active, it also goes on, at its regular times, with those whose run was lost.",
        )
    )


def list_waiting_units() -> list[JobUnit]:
    """Return a unit for each unfinished operation, so that the schedule continues those whose run was lost."""
    operations = BulkOperation.objects.defer("content", "basis").select_related("user").filter(state__in=UNFINISHED)
    return [build_unit(operation) for operation in operations.order_by("id")]


def execute_operation(context: RunContext) -> RunOutcome:
    """Check or do one operation, as its unit says. Nothing happens if it was checked before.

    Raises VaultError if it was dropped meanwhile.
    """
    operation = find_operation(context.run.unit_key)
    try:
        if is_check(context.run.unit_key):
            if operation.state != OperationState.CHECKING:
                return RunOutcome(state=RunState.SUCCEEDED, message="It was checked before.", result={})
            check_operation(operation, lease=context.lease)
        else:
            perform_operation(operation, lease=context.lease)
    except SoftTimeLimitExceeded:
        return _build_interrupted(operation)
    return RunOutcome(
        state=_find_run_state(operation),
        message=operation.message or "Checked; the user has to confirm it.",
        result=describe_result(operation),
    )


def _build_interrupted(operation: BulkOperation) -> RunOutcome:
    return RunOutcome(
        state=RunState.INTERRUPTED,
        message=f"The run reached its time limit at {operation.done:,} of {operation.total:,} rows. To go on, choose "
        "“Go on” on the page of the operation, or start this job now.",
        result=describe_result(operation),
    )


def abandon_operation(unit_key: str, message: str) -> None:
    """End the operation of a run that an admin cancelled; otherwise its page would offer to continue it."""
    try:
        operation = find_operation(unit_key)
        if is_check(unit_key) == (operation.state == OperationState.CHECKING):  # else it moved on without that run
            end_cancelled(operation, message=message)
    except VaultError:  # it was dropped meanwhile, or another run continues it
        return


def _find_run_state(operation: BulkOperation) -> RunState:
    if operation.state == OperationState.FAILED:
        return RunState.FAILED
    return RunState.WITH_EXCEPTIONS if operation.failed else RunState.SUCCEEDED
