"""Dispatch by several beats, workers and users at once, and after processes died between two steps (R4, R9)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from django.conf import settings
from django.db import connection, transaction

from ctms.core.clock import get_now
from ctms.jobs import queue
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError, LeaseLostError
from ctms.jobs.leases import LeaseHandle, acquire_lease
from ctms.jobs.models import JobRun, Lease
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import DispatchReport, create_run, dispatch_due, execute_run, start_now
from tests.jobs.handlers import CountingJob, keep_schedule_away, let_lease_run_out, set_due
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

AT_ONCE = 4
ROUNDS = 5

# The code of another process, which uses the same job and database.
OTHER_PROCESS = """
import os, sys, time
import django
django.setup()
from ctms.jobs import queue
from ctms.jobs.services import execute_run, start_now
from tests.jobs.handlers import CountingJob

job = CountingJob(key="counting_job", units=["north", "south"])
with job.registered():
    definition = job.deliver()
    {act}
"""


@pytest.fixture
def job() -> Iterator[CountingJob]:
    made = CountingJob(key="counting_job", units=["north", "south"])
    with made.registered():
        yield made


@pytest.fixture(autouse=True)
def messages(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr(queue, "send_message", sent.append)
    return sent


def start_process(act: str) -> subprocess.Popen[str]:
    database = connection.settings_dict
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    return subprocess.Popen(
        [sys.executable, "-c", OTHER_PROCESS.format(act=act)],
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "ctms.settings.test", "TEST_VAULT_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        text=True,
    )


def tick_at_once() -> DispatchReport:
    """Run several ticks at once and return the sum of what they did."""
    total = Counter[str]()
    for report in call_at_once([dispatch_due] * AT_ONCE):
        assert isinstance(report, DispatchReport), report
        total.update({"claimed": report.claimed, "taken_over": report.taken_over, "sent_again": report.sent_again})
    return DispatchReport(claimed=total["claimed"], taken_over=total["taken_over"], sent_again=total["sent_again"])


def make_queue_older() -> None:
    long_ago = get_now() - timedelta(seconds=settings.JOB_REQUEUE_SECONDS)
    JobRun.objects.filter(state=RunState.QUEUED).update(queued_at=long_ago)


def begin(job: CountingJob) -> tuple[JobRun, LeaseHandle]:
    """Return a run that has begun and not ended, with its lease, as its worker has them."""
    run = create_run(definition=job.deliver(), unit=job.units[0], user=None)
    with transaction.atomic():
        JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
        lease = acquire_lease(key=f"{job.key}:{run.unit_key}", run=run)
    assert lease is not None
    return run, lease


# -- Several at once (R4) -------------------------------------------------------------------------
def test_of_several_beats_one_dispatches_each_due_slot(job: CountingJob, messages: list[int]) -> None:
    other = CountingJob(key="other_job", units=["east"])
    with other.registered():
        definitions = [job.activate(), other.activate()]
        for each in (job, other):
            keep_schedule_away(each.key)
        for number in range(1, ROUNDS + 1):
            slot = get_now() - timedelta(minutes=number)
            for definition in definitions:
                set_due(definition, slot)
            assert tick_at_once() == DispatchReport(claimed=2, taken_over=0, sent_again=0)
            runs = JobRun.objects.filter(slot=slot)
            assert sorted(runs.values_list("unit_key", flat=True)) == ["east", "north", "south"]
            assert sorted(messages) == sorted(runs.values_list("pk", flat=True))
            messages.clear()
            runs.update(state=RunState.SUCCEEDED)
    assert JobRun.objects.count() == 3 * ROUNDS


def test_start_now_pressed_by_several_at_once_runs_each_unit_once(job: CountingJob, messages: list[int]) -> None:
    definition = job.deliver()
    for _ in range(ROUNDS):
        results = call_at_once([partial(start_now, definition=definition, user=None)] * AT_ONCE)
        started = [run for result in results if isinstance(result, list) for run in result]
        refused = [result for result in results if isinstance(result, Exception)]
        assert {type(error) for error in refused} <= {JobAlreadyRunningError}
        assert sorted(run.unit_key for run in started) == ["north", "south"]
        assert sorted(messages) == sorted(run.pk for run in started)
        messages.clear()
        JobRun.objects.filter(state=RunState.QUEUED).update(state=RunState.SUCCEEDED)


def test_start_now_at_the_moment_of_the_slot_runs_each_unit_once(job: CountingJob) -> None:
    definition = job.activate(due=get_now() - timedelta(seconds=1))
    press = partial(start_now, definition=definition, user=None)
    call_at_once([dispatch_due, press, dispatch_due, press])
    assert sorted(JobRun.objects.values_list("unit_key", flat=True)) == ["north", "south"]


def test_a_command_and_start_now_at_once_run_the_unit_once(job: CountingJob) -> None:
    definition = job.deliver()
    results = call_at_once(
        [
            partial(start_now, definition=definition, user=None),
            lambda: [create_run(definition=definition, unit=job.units[0], user=None)],
        ]
    )
    assert [error for error in results if isinstance(error, Exception)] in ([], [results[1]])
    assert sorted(JobRun.objects.values_list("unit_key", flat=True)) == ["north", "south"]


def test_of_several_workers_with_the_same_message_one_does_the_work(job: CountingJob) -> None:
    (run, _) = start_now(definition=job.deliver(), user=None)
    results = call_at_once([partial(execute_run, run.pk)] * AT_ONCE)
    assert Counter(type(result) for result in results) == {JobRun: 1, type(None): AT_ONCE - 1}
    assert job.executed == ["north"]
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED


def test_a_lease_that_several_want_goes_to_one(job: CountingJob) -> None:
    for _ in range(ROUNDS):
        results = call_at_once([partial(acquire_lease, key="transfer:north", run=None)] * AT_ONCE)
        held = [handle for handle in results if isinstance(handle, LeaseHandle)]
        assert [type(result) for result in results if result not in held] == [type(None)] * (AT_ONCE - 1)
        held[0].release()
    assert Lease.objects.get().token == ROUNDS


# -- Those who died (R9) --------------------------------------------------------------------------
def test_a_run_whose_process_died_between_commit_and_message_is_sent_by_one_later_tick(
    job: CountingJob, messages: list[int]
) -> None:
    process = start_process(
        "queue.send_message = lambda run_id: os._exit(9); start_now(definition=definition, user=None)"
    )
    process.communicate()
    assert process.returncode == 9
    runs = JobRun.objects.order_by("pk")
    assert list(runs.values_list("unit_key", "state")) == [("north", "queued"), ("south", "queued")]

    assert tick_at_once().sent_again == 0
    make_queue_older()
    assert tick_at_once() == DispatchReport(claimed=0, taken_over=0, sent_again=2)
    assert sorted(messages) == list(runs.values_list("pk", flat=True))
    for message in messages:
        execute_run(message)
    assert set(runs.values_list("state", flat=True)) == {RunState.SUCCEEDED}


def test_a_run_whose_worker_was_killed_is_interrupted_and_taken_over_once(
    job: CountingJob, messages: list[int]
) -> None:
    (run, _) = start_now(definition=job.deliver(), user=None)
    process = start_process(
        f"job.act = lambda context: (print('working', flush=True), time.sleep(600)); execute_run({run.pk})"
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "working\n"
    process.send_signal(signal.SIGKILL)
    process.communicate()
    messages.clear()

    assert tick_at_once().taken_over == 0
    let_lease_run_out(run.pk)
    assert tick_at_once() == DispatchReport(claimed=0, taken_over=1, sent_again=0)
    run.refresh_from_db()
    successor = JobRun.objects.get(trigger=RunTrigger.TAKEOVER)
    assert (run.state, messages) == (RunState.INTERRUPTED, [successor.pk])
    assert (successor.unit_key, successor.slot, successor.attempt) == (run.unit_key, run.slot, 2)
    execute_run(successor.pk)
    successor.refresh_from_db()
    assert successor.state == RunState.SUCCEEDED


# -- Those who were only slow ---------------------------------------------------------------------
def test_a_slow_owner_either_keeps_its_lease_or_is_taken_over_and_never_both(job: CountingJob) -> None:
    outcomes = Counter[bool]()
    for _ in range(4 * ROUNDS):
        run, lease = begin(job)
        let_lease_run_out(run.pk)
        kept, *ticks = call_at_once([lease.renew, dispatch_due, dispatch_due])
        taken_over = sum(tick.taken_over for tick in ticks if isinstance(tick, DispatchReport))
        assert (kept is None, taken_over) in {(True, 0), (False, 1)}
        if kept is not None:
            assert isinstance(kept, LeaseLostError)
        run.refresh_from_db()
        assert run.state == (RunState.RUNNING if kept is None else RunState.INTERRUPTED)
        outcomes[kept is None] += 1
        lease.release()
        JobRun.objects.filter(state__in=[RunState.QUEUED, RunState.RUNNING]).update(state=RunState.SUCCEEDED)
    assert outcomes.total() == 4 * ROUNDS


def test_a_late_loser_with_an_old_number_writes_nothing(job: CountingJob) -> None:
    def lose_and_write(context: RunContext) -> RunOutcome:
        let_lease_run_out(context.run.pk)
        (report,) = call_at_once([dispatch_due])
        assert isinstance(report, DispatchReport)
        assert report.taken_over == 1
        job.act = None
        call_at_once([partial(execute_run, JobRun.objects.get(trigger=RunTrigger.TAKEOVER).pk)])
        with transaction.atomic():
            JobRun.objects.filter(trigger=RunTrigger.TAKEOVER).update(log="written by the loser")
            context.lease.renew(progress={"sent": 1})
        return RunOutcome(state=RunState.SUCCEEDED, message="Done by the loser.", result={"sent": 1})

    job.act = lose_and_write
    (loser, _) = start_now(definition=job.deliver(), user=None)
    execute_run(loser.pk)
    loser.refresh_from_db()
    winner = JobRun.objects.get(trigger=RunTrigger.TAKEOVER)
    assert (loser.state, loser.result) == (RunState.INTERRUPTED, {})
    assert (winner.state, winner.log, winner.message) == (RunState.SUCCEEDED, "counted", "Done.")
    assert Lease.objects.get(key=f"{job.key}:north").progress == {}


def test_who_is_just_writing_is_alive_and_keeps_no_tick_waiting(job: CountingJob) -> None:
    """The lease is renewed in the writer's transaction, which holds its row until the end."""
    run, lease = begin(job)
    let_lease_run_out(run.pk)
    with transaction.atomic():
        lease.renew()
        JobRun.objects.filter(pk=run.pk).update(log="written in time")
        assert tick_at_once() == DispatchReport(claimed=0, taken_over=0, sent_again=0)
    assert tick_at_once().taken_over == 0
    run.refresh_from_db()
    assert (run.state, run.log) == (RunState.RUNNING, "written in time")
