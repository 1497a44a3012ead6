"""Cancelling: a queued run never begins, a running one stops between batches, and no run goes on with either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from time_machine import Traveller, travel

from ctms.audit.models import AuditEntry
from ctms.jobs import registry
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState
from ctms.jobs.errors import NotCancellableError, RunCancelledError
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.registry import JobHandler, RunContext, RunOutcome
from ctms.jobs.services import DispatchReport, dispatch_due, execute_run, start_now
from tests.factories.base import build_admin_actor
from tests.jobs.handlers import CountingJob, let_lease_run_out

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages"), pytest.mark.both_databases]

NOTHING = DispatchReport(claimed=0, taken_over=0, sent_again=0)


@pytest.fixture(autouse=True)
def noon() -> Iterator[Traveller]:
    with travel("2026-03-02T12:00:00Z", tick=False) as traveller:
        yield traveller


def queue(job: CountingJob) -> JobRun:
    return start_now(definition=job.deliver(), user=None)[0]


def cancel(run: JobRun) -> JobRun:
    return cancel_run(run=run, actor=build_admin_actor())


def test_a_queued_run_is_cancelled_at_once_and_never_begins(job: CountingJob) -> None:
    run = cancel(queue(job))
    actor = build_admin_actor()
    assert (run.state, run.finished_at, run.cancel_requested_by) == ("cancelled", run.cancel_requested_at, actor.user)
    assert run.message == f"{actor.user} cancelled it at 2 Mar 2026, 12:00 UTC, before it began."
    assert execute_run(run.pk) is None
    assert (job.executed, dispatch_due()) == ([], NOTHING)
    entry = AuditEntry.objects.latest("id")
    assert (entry.reason, entry.object_name, entry.record_name) == ("Run cancelled", "admin:jobs", str(run))


def test_a_cancelled_unit_may_be_started_again_at_once(job: CountingJob, noon: Traveller) -> None:
    cancel(queue(job))
    noon.shift(1)
    assert [run.unit_key for run in start_now(definition=job.deliver(), user=None)] == ["north"]


def test_a_running_run_writes_its_batch_to_the_end_and_then_stops(job: CountingJob) -> None:
    written: list[int] = []

    def work(context: RunContext) -> RunOutcome:
        for batch in range(5):
            context.lease.stop_if_cancelled()
            if batch == 2:
                cancel(JobRun.objects.get(pk=context.run.pk))
            written.append(batch)
            context.lease.renew(progress={"part": {"done": batch + 1, "total": 5}})
        raise AssertionError("unreachable")

    job.act = work
    run = execute_run(queue(job).pk)
    assert run is not None
    run.refresh_from_db()
    assert written == [0, 1, 2]
    assert (run.state, run.result) == ("cancelled", {"part": {"done": 3, "total": 5}})
    assert run.message == f"{build_admin_actor().user} cancelled it at 2 Mar 2026, 12:00 UTC."
    assert not Lease.objects.filter(run__isnull=False).exists()
    assert dispatch_due() == NOTHING


def test_a_run_that_ends_before_it_notices_has_ended_well(job: CountingJob) -> None:
    def work(context: RunContext) -> RunOutcome:
        cancel(JobRun.objects.get(pk=context.run.pk))
        return RunOutcome(state=RunState.SUCCEEDED, message="All sent.", result={})

    job.act = work
    run = execute_run(queue(job).pk)
    assert run is not None
    run.refresh_from_db()
    assert (run.state, run.message) == ("succeeded", "All sent.")
    assert run.cancel_requested_at is not None


def test_a_cancelled_run_whose_worker_died_is_not_taken_over(job: CountingJob) -> None:
    def die(context: RunContext) -> RunOutcome:
        context.lease.renew(progress={"part": {"done": 1}})
        cancel(JobRun.objects.get(pk=context.run.pk))
        let_lease_run_out(context.run.pk)
        assert dispatch_due() == NOTHING
        return RunOutcome(state=RunState.SUCCEEDED, message="Too late.", result={})

    job.act = die
    run = queue(job)
    execute_run(run.pk)
    run.refresh_from_db()
    assert (run.state, run.result) == ("cancelled", {"part": {"done": 1}})
    assert run.message.endswith("cancelled it at 2 Mar 2026, 12:00 UTC. Its worker had stopped in the middle.")
    assert JobRun.objects.filter(unit_key="north").count() == 1


def test_a_run_that_has_ended_or_was_cancelled_is_not_cancelled_again(job: CountingJob) -> None:
    run = queue(job)
    execute_run(run.pk)
    with pytest.raises(NotCancellableError, match="It has ended already: Succeeded"):
        cancel(run)
    run.refresh_from_db()
    assert run.cancel_requested_at is None
    other = JobRun.objects.get(unit_key="south")

    def work(context: RunContext) -> RunOutcome:
        cancel(other)
        with pytest.raises(NotCancellableError, match="It stops after its current batch"):
            cancel(other)
        context.lease.renew()
        context.lease.stop_if_cancelled()
        raise AssertionError("unreachable")

    job.act = work
    execute_run(other.pk)
    other.refresh_from_db()
    assert other.state == RunState.CANCELLED


def test_looking_for_a_cancellation_between_batches_asks_the_database_nothing(
    job: CountingJob, django_assert_num_queries: Any
) -> None:
    def work(context: RunContext) -> RunOutcome:
        with django_assert_num_queries(0):
            context.lease.stop_if_cancelled()
        cancel(JobRun.objects.get(pk=context.run.pk))
        context.lease.renew()
        with django_assert_num_queries(1), pytest.raises(RunCancelledError):
            context.lease.stop_if_cancelled()
        return RunOutcome(state=RunState.SUCCEEDED, message="", result={})

    job.act = work
    assert execute_run(queue(job).pk) is not None


def test_the_job_is_told_of_units_that_nobody_will_do(job: CountingJob) -> None:
    told: list[tuple[str, str]] = []
    handler = JobHandler(
        key=job.key,
        name="Counting Job",
        list_units=lambda: job.units,
        execute=lambda _context: RunOutcome(state=RunState.SUCCEEDED, message="", result={}),
        abandon=lambda key, message: told.append((key, message)),
    )
    registry._handlers[job.key] = handler
    run = cancel(queue(job))
    assert told == [("north", run.message)]


def test_a_queued_run_of_a_job_without_code_can_be_cancelled(job: CountingJob) -> None:
    run = queue(job)
    registry._handlers.pop(job.key)
    assert cancel(run).state == RunState.CANCELLED
