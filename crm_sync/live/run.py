"""The run right after a change, or of a minute: sends what differs, fetches calls if that is due, and looks again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F, ProtectedError

from connections.models import Connection
from crm_sync.engine.pace import list_awake_connections, list_live_connections
from crm_sync.engine.run import Transfer
from crm_sync.live.work import find_work
from crm_sync.models import IntegrationRun, LiveProgress
from crm_sync.units import TRANSFER_JOB_KEYS
from ctms.core.clock import get_database_now
from ctms.jobs.choices import SUCCESS_STATES, RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.queue import queue_runs
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome

if TYPE_CHECKING:
    from collections.abc import Callable

# Counts of a result that say that something was done, or is to be seen.
_DONE = ("sent", "received", "failed", "blocked")


def run_live(context: RunContext, *, regular_job: str) -> RunOutcome:
    """Transfer what changed just now on one connection; leave much of it to the job with the key `regular_job`."""
    connection = list_live_connections().select_related("authorization").filter(uid=context.run.unit_key).first()
    if connection is None:
        message = f"{context.run.unit_label} does not transfer as it happens any more."
        return RunOutcome(state=RunState.SUCCEEDED, message=message, result={})
    work = find_work(connection)
    if work.is_large:
        queue_runs(
            definition=JobDefinition.objects.get(key=regular_job),
            units=[JobUnit(key=context.run.unit_key, label=connection.name)],
            slot=get_database_now(),
            trigger=RunTrigger.CHANGE,
            user=None,
        )
        message = "There is so much to compare that a regular transfer was queued for it."
        return RunOutcome(state=RunState.SUCCEEDED, message=message, result={})
    if not work:
        return RunOutcome(state=RunState.SUCCEEDED, message="There was nothing to do.", result={})
    return Transfer(connection=connection, run=context.run, lease=context.lease, only=work.kinds).execute()


def follow_run(run: JobRun, *, wake: Callable[[list[Connection]], int]) -> None:
    """Forget a run that had nothing to do, and wake the connection if something came while the run was at work."""
    if run.trigger == RunTrigger.CHANGE and run.state == RunState.SUCCEEDED:
        _forget_idle(run)
    if run.state not in SUCCESS_STATES or _has_only_failed(run):
        return
    connection = list_awake_connections().filter(uid=run.unit_key).first()
    if connection is not None and find_work(connection):
        wake([connection])


def _has_only_failed(run: JobRun) -> bool:
    """Whether records failed and none moved: then the next message or tick is soon enough.

    While an old transaction is open, what failed remains within the part of the audit trail that is read again.
    """
    totals = {name: sum(counts.get(name) or 0 for counts in run.result.values()) for name in _DONE}
    return bool(totals["failed"]) and not totals["sent"] and not totals["received"]


def _ends_failures(run: JobRun) -> bool:
    """Whether the run before did not succeed: then this one is kept, because it says that it works again."""
    before = JobRun.objects.filter(
        definition__key__in=TRANSFER_JOB_KEYS, unit_key=run.unit_key, finished_at__isnull=False, pk__lt=run.pk
    )
    last = before.order_by("-pk").values_list("state", flat=True).first()
    return last is not None and last not in SUCCESS_STATES


def _forget_idle(run: JobRun) -> None:
    """Delete the rows of a run that had nothing to do, and count it, so that idle minutes do not fill Job Status."""
    if any(counts.get(name) for counts in run.result.values() for name in _DONE) or _ends_failures(run):
        return
    try:
        with transaction.atomic():
            LiveProgress.objects.filter(connection__uid=run.unit_key).update(
                idle_runs=F("idle_runs") + 1,
                idle_calls=F("idle_calls") + sum(counts.get("api_calls", 0) for counts in run.result.values()),
            )
            IntegrationRun.objects.filter(run=run).delete()
            JobRun.objects.filter(pk=run.pk, state=RunState.SUCCEEDED).delete()
    except ProtectedError:
        return  # something refers to it, such as a failure that it resolved: it is to be seen
