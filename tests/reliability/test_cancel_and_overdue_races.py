"""Races: a run is cancelled while it begins, ends or is taken over, and several ticks notice an overdue job."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

import pytest
from django.core import mail

from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState
from ctms.jobs.errors import NotCancellableError
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobClock, JobRun
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import dispatch_due, execute_run, start_now
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.jobs.conftest import job, messages  # noqa: F401  fixtures
from tests.jobs.handlers import CountingJob, let_lease_run_out
from tests.reliability.simultaneous import call_at_once

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.django_db(transaction=True),
    pytest.mark.usefixtures("messages"),
]

ROUNDS = 5
AT_ONCE = 4


def queue(job: CountingJob) -> JobRun:  # noqa: F811  the fixture
    JobRun.objects.all().update(state=RunState.SUCCEEDED)
    return start_now(definition=job.deliver(), user=None)[0]


def test_a_run_that_is_cancelled_as_it_begins_is_never_both_done_and_cancelled_before_it_began(
    job: CountingJob,  # noqa: F811  the fixture
) -> None:
    def work(context: RunContext) -> RunOutcome:
        context.lease.renew()
        context.lease.stop_if_cancelled()
        return RunOutcome(state=RunState.SUCCEEDED, message="Done.", result={})

    job.act = work
    actor = build_admin_actor()
    for _ in range(ROUNDS):
        run = queue(job)
        job.executed.clear()
        cancelled, executed = call_at_once([partial(cancel_run, run=run, actor=actor), partial(execute_run, run.pk)])
        run.refresh_from_db()
        assert run.state in (RunState.CANCELLED, RunState.SUCCEEDED), (cancelled, executed)
        if run.message.endswith("before it began."):
            assert (job.executed, executed) == ([], None)
        else:
            assert job.executed == [run.unit_key]
        if isinstance(cancelled, NotCancellableError):
            assert (run.state, run.cancel_requested_at) == (RunState.SUCCEEDED, None)


def test_of_several_who_cancel_one_run_one_does(job: CountingJob) -> None:  # noqa: F811  the fixture
    actor = build_admin_actor()
    for _ in range(ROUNDS):
        run = queue(job)
        results = call_at_once(
            [partial(cancel_run, run=JobRun.objects.get(pk=run.pk), actor=actor) for _ in range(AT_ONCE)]
        )
        assert sorted(type(result).__name__ for result in results) == ["JobRun"] + ["NotCancellableError"] * 3


def test_a_dead_run_that_is_cancelled_as_ticks_take_it_over_is_either_or(
    job: CountingJob,  # noqa: F811  the fixture
) -> None:
    actor = build_admin_actor()
    for _ in range(ROUNDS):
        run = queue(job)
        JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
        assert acquire_lease(key=f"{job.key}:{run.unit_key}", run=run) is not None
        let_lease_run_out(run.pk)
        cancelled, *ticks = call_at_once([partial(cancel_run, run=run, actor=actor), dispatch_due, dispatch_due])
        dispatch_due()
        run.refresh_from_db()
        successors = JobRun.objects.filter(slot=run.slot, unit_key=run.unit_key, attempt=2).count()
        if isinstance(cancelled, NotCancellableError):
            assert (run.state, successors) == (RunState.INTERRUPTED, 1)
        else:
            assert (run.state, successors) == (RunState.CANCELLED, 0), ticks


def test_of_several_ticks_that_notice_an_overdue_job_one_tells(job: CountingJob) -> None:  # noqa: F811  the fixture
    UserFactory.create(is_superuser=True, email="ada@example.org")
    definition = job.activate()
    clock = JobClock.objects.filter(definition=definition)
    for told in range(1, ROUNDS + 1):
        at = clock.get().next_run_at - timedelta(hours=4)
        clock.update(counted_from=at, next_run_at=at, notified_at=None)
        start_now(definition=definition, user=None)
        JobRun.objects.filter(state=RunState.QUEUED).update(slot=at + timedelta(minutes=told), state=RunState.FAILED)
        assert [result for result in call_at_once([dispatch_due] * AT_ONCE) if isinstance(result, Exception)] == []
        assert len(mail.outbox) == told
        JobRun.objects.filter(state=RunState.QUEUED).update(state=RunState.FAILED)
