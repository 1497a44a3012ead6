"""A worker that was told to end: its run stops after the batch, and another goes on from there at once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from celery.signals import worker_shutting_down

from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import DispatchReport, dispatch_due, execute_run, start_now
from ctms.jobs.stopping import forget_stop
from tests.factories.base import build_admin_actor
from tests.jobs.handlers import CountingJob

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

BATCHES = 5


@pytest.fixture(autouse=True)
def is_told() -> Iterator[None]:
    yield
    forget_stop()


@pytest.fixture
def job() -> Iterator[CountingJob]:
    made = CountingJob(key="counting_job", units=("north",))
    with made.registered():
        yield made


class Batches:
    """Counts five batches, from where an earlier run left off; in the third, the worker is told to end."""

    def __init__(self, *, is_cancelled: bool = False) -> None:
        self.written: list[int] = []
        self._is_cancelled = is_cancelled

    def work(self, context: RunContext) -> RunOutcome:
        for batch in range(len(self.written), BATCHES):
            context.lease.stop_if_cancelled()
            if batch == 2:
                worker_shutting_down.send(sender="worker@here", sig="SIGTERM", how="Warm", exitcode=0)
                if self._is_cancelled:
                    cancel_run(run=JobRun.objects.get(pk=context.run.pk), actor=build_admin_actor())
            self.written.append(batch)
            context.lease.renew(progress={"part": {"done": batch + 1, "total": BATCHES}})
        return RunOutcome(state=RunState.SUCCEEDED, message="Done.", result={})


def test_a_run_ends_after_its_batch_and_another_is_queued_that_goes_on(
    job: CountingJob, messages: list[int], django_capture_on_commit_callbacks: Any
) -> None:
    batches = Batches()
    job.act = batches.work
    (run,) = start_now(definition=job.deliver(), user=build_admin_actor().user)
    with django_capture_on_commit_callbacks(execute=True):
        execute_run(run.pk)
    run.refresh_from_db()
    assert batches.written == [0, 1, 2]
    assert (run.state, run.result) == (RunState.INTERRUPTED, {"part": {"done": 3, "total": BATCHES}})
    assert run.message == "The worker was stopped; another run goes on from here."

    follower = JobRun.objects.get(state=RunState.QUEUED)
    assert (follower.unit_key, follower.slot, follower.requested_by) == (run.unit_key, run.slot, run.requested_by)
    assert (follower.trigger, follower.attempt) == (RunTrigger.TAKEOVER, 1)
    assert not Lease.objects.filter(is_held=True).exists()
    assert messages == [follower.pk]

    forget_stop()  # as in the next worker
    execute_run(follower.pk)
    follower.refresh_from_db()
    assert (batches.written, follower.state) == ([0, 1, 2, 3, 4], RunState.SUCCEEDED)
    assert dispatch_due() == DispatchReport(claimed=0, taken_over=0, sent_again=0)


def test_a_run_that_was_cancelled_meanwhile_is_not_continued(job: CountingJob, messages: list[int]) -> None:
    job.act = Batches(is_cancelled=True).work
    (run,) = start_now(definition=job.deliver(), user=None)
    execute_run(run.pk)
    assert list(JobRun.objects.values_list("state", flat=True)) == [RunState.CANCELLED]


def test_a_run_in_its_last_batch_ends_well(job: CountingJob, messages: list[int]) -> None:
    def work(context: RunContext) -> RunOutcome:
        context.lease.stop_if_cancelled()
        worker_shutting_down.send(sender="worker@here", sig="SIGTERM", how="Warm", exitcode=0)
        return RunOutcome(state=RunState.SUCCEEDED, message="Done.", result={})

    job.act = work
    (run,) = start_now(definition=job.deliver(), user=None)
    execute_run(run.pk)
    assert list(JobRun.objects.values_list("state", flat=True)) == [RunState.SUCCEEDED]
