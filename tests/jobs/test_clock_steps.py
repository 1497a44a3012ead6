"""The clock is set back or forward: due times, messages, commands and dead workers do not wait for it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.conf import settings
from kombu.utils.imports import symbol_by_name
from pytest_django import DjangoCaptureOnCommitCallbacks

from ctms.celery import app
from ctms.core import clock as core_clock
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.leases import LeaseHandle, acquire_lease
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.selectors import list_overdue_jobs
from ctms.jobs.services import create_run, dispatch_due, execute_run, start_now
from tests.jobs.handlers import CountingJob

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages"), pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
FIVE_HOURS = timedelta(hours=5)


@pytest.fixture
def commits(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> DjangoCaptureOnCommitCallbacks:
    """Let messages be sent where a transaction would commit; a test's own never does."""
    return django_capture_on_commit_callbacks


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


def begin(job: CountingJob, *, unit: int = 0) -> tuple[JobRun, LeaseHandle]:
    """Return a run that has begun and not ended, with its lease."""
    run = create_run(definition=job.deliver(), unit=job.units[unit], user=None)
    JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    lease = acquire_lease(key=f"{job.key}:{run.unit_key}", run=run)
    assert lease is not None
    return run, lease


def run_all_that_is_queued() -> None:
    for pk in JobRun.objects.filter(state=RunState.QUEUED).order_by("pk").values_list("pk", flat=True):
        execute_run(pk)


def get_due(definition: JobDefinition) -> datetime:
    return JobClock.objects.get(definition=definition).next_run_at


# -- Workers --------------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [-FIVE_HOURS, FIVE_HOURS])
@pytest.mark.parametrize("minutes", [1, 30])
def test_a_dead_worker_is_noticed_at_the_third_tick_after_the_clock_was_set(
    job: CountingJob, clock: Any, step: timedelta, minutes: int
) -> None:
    dead, _ = begin(job)
    clock.shift(step)
    taken_over = []
    for _ in range(4):
        taken_over.append(dispatch_due().taken_over)
        clock.shift(timedelta(minutes=minutes))
    dead.refresh_from_db()
    assert (taken_over, dead.state) == ([0, 0, 1, 0], RunState.INTERRUPTED)


@pytest.mark.parametrize("step", [-FIVE_HOURS, FIVE_HOURS])
def test_a_worker_that_renews_is_not_taken_over_when_the_clock_is_set(
    job: CountingJob, clock: Any, step: timedelta
) -> None:
    run, lease = begin(job)
    for number in range(10):
        clock.shift(step if number == 5 else timedelta(minutes=1))
        assert dispatch_due().taken_over == 0
        lease.renew()
    run.refresh_from_db()
    assert run.state == RunState.RUNNING


def test_a_run_after_the_clock_was_set_back_is_not_skipped_because_of_the_lease_of_the_run_before(
    job: CountingJob, clock: Any
) -> None:
    definition = job.deliver()
    start_now(definition=definition, user=None)
    run_all_that_is_queued()
    clock.shift(-FIVE_HOURS)
    start_now(definition=definition, user=None)
    run_all_that_is_queued()
    assert set(JobRun.objects.values_list("state", flat=True)) == {RunState.SUCCEEDED}
    assert len(job.executed) == 4


# -- Due times ------------------------------------------------------------------------------------
def test_an_hourly_job_runs_every_hour_after_the_clock_was_set_back_although_each_hour_comes_again(
    job: CountingJob, clock: Any
) -> None:
    definition = job.activate()
    for _ in range(6):  # 13:00 to 18:00
        clock.shift(timedelta(hours=1))
        dispatch_due()
        run_all_that_is_queued()
    clock.shift(-FIVE_HOURS)  # 13:00
    dispatch_due()
    assert get_due(definition) == NOON + timedelta(hours=2)
    job.executed.clear()
    for _ in range(3):
        clock.shift(timedelta(hours=1))
        assert dispatch_due().claimed == 1
        assert dispatch_due().claimed == 0
        run_all_that_is_queued()
    assert job.executed == ["north", "south"] * 3
    slots = list(JobRun.objects.filter(unit_key="north").order_by("pk").values_list("slot", flat=True))
    assert slots == [NOON + timedelta(hours=hours) for hours in (1, 2, 3, 4, 5, 6, 2, 3, 4)]


def test_a_job_that_a_clock_of_tomorrow_made_due_tomorrow_is_due_at_its_next_regular_time(
    job: CountingJob, clock: Any
) -> None:
    clock.shift(timedelta(days=1))
    definition = job.activate()
    clock.shift(-timedelta(days=1))
    assert dispatch_due().claimed == 0
    assert get_due(definition) == NOON + timedelta(hours=1)


def test_slots_that_a_step_forward_passes_over_are_run_once(job: CountingJob, clock: Any) -> None:
    definition = job.activate()
    clock.shift(FIVE_HOURS)
    assert [dispatch_due().claimed, dispatch_due().claimed] == [1, 0]
    assert get_due(definition) == NOON + timedelta(hours=6)


def test_a_job_that_stops_succeeding_after_the_clock_was_set_back_is_overdue_as_soon_as_ever(
    job: CountingJob, clock: Any
) -> None:
    job.units = job.units[:1]
    job.activate()
    for _ in range(6):
        clock.shift(timedelta(hours=1))
        dispatch_due()
        run_all_that_is_queued()
    clock.shift(-FIVE_HOURS)
    overdue = []
    for _ in range(8):
        dispatch_due()
        JobRun.objects.filter(state=RunState.QUEUED).update(state=RunState.FAILED)
        overdue.append(len(list_overdue_jobs()))
        clock.shift(timedelta(hours=1))
    assert overdue == [0, 0, 1, 1, 1, 1, 1, 1]


# -- The scheduler --------------------------------------------------------------------------------
@pytest.mark.parametrize("step", [timedelta(), -FIVE_HOURS, FIVE_HOURS])
def test_beat_sends_a_tick_a_minute_whenever_its_clock_is_set(
    clock: Any, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    uptime = [1000.0]
    monkeypatch.setattr(core_clock, "get_uptime", lambda: uptime[0])
    scheduler = symbol_by_name(settings.CELERY_BEAT_SCHEDULER)(app=app)
    sent: dict[str, list[float]] = {name: [] for name in settings.CELERY_BEAT_SCHEDULE}
    monkeypatch.setattr(scheduler, "apply_entry", lambda entry, **_: sent[entry.name].append(uptime[0]))
    for second in range(240):
        uptime[0] = 1000.0 + second
        clock.shift(step if second == 100 else timedelta(seconds=1))
        scheduler.tick()
    for seconds in sent.values():  # one a second, so that the others come a second or more later
        assert [each - seconds[0] for each in seconds] == [0.0, 60.0, 120.0]
        assert seconds[0] in (1060.0, 1061.0, 1062.0, 1063.0)


def test_a_tick_has_no_end_that_a_worker_whose_clock_is_ahead_could_find_passed() -> None:
    scheduler = symbol_by_name(settings.CELERY_BEAT_SCHEDULER)(app=app)
    entry = scheduler.schedule["dispatch-due-jobs"]
    with app.connection_for_read() as connection, connection.SimpleQueue("ticks") as ticks:
        ticks.clear()  # of what other tests of this process sent
        scheduler.apply_async(entry)
        message = ticks.get(block=False)
        message.ack()
    headers: dict[str, Any] = message.headers
    assert (headers["task"], headers["expires"]) == (entry.task, None)


# -- Messages and commands ------------------------------------------------------------------------
def test_a_message_that_was_lost_before_the_clock_was_set_back_is_sent_again(
    job: CountingJob,
    clock: Any,
    messages: list[int],
    commits: DjangoCaptureOnCommitCallbacks,
) -> None:
    (run, _) = start_now(definition=job.deliver(), user=None)
    clock.shift(-FIVE_HOURS)
    with commits(execute=True):
        assert dispatch_due().sent_again == 2
    assert messages[0] == run.pk
    with commits(execute=True):
        assert dispatch_due().sent_again == 0


def test_a_command_watches_a_dead_run_until_its_time_is_over_and_then_goes_on(job: CountingJob, clock: Any) -> None:
    dead, _ = begin(job)
    clock.shift(-FIVE_HOURS)
    pauses: list[None] = []

    def pause() -> None:
        pauses.append(None)
        clock.shift(timedelta(seconds=1))

    run = create_run(definition=dead.definition, unit=job.units[0], user=None, pause=pause)
    dead.refresh_from_db()
    assert (dead.state, run.state, run.trigger) == (RunState.INTERRUPTED, RunState.QUEUED, RunTrigger.COMMAND)
    assert len(pauses) == settings.JOB_LEASE_SECONDS


def test_a_command_stops_watching_at_the_first_sign_of_life(job: CountingJob, clock: Any) -> None:
    run, lease = begin(job)
    pauses: list[None] = []

    def pause() -> None:
        pauses.append(None)
        clock.shift(timedelta(seconds=1))
        if len(pauses) == 20:
            lease.renew()

    with pytest.raises(JobAlreadyRunningError):
        create_run(definition=run.definition, unit=job.units[0], user=None, pause=pause)
    assert len(pauses) == 20


def test_a_command_takes_the_run_that_a_tick_queued_while_it_watched(job: CountingJob, clock: Any) -> None:
    dead, _ = begin(job)

    def pause() -> None:
        clock.shift(timedelta(minutes=1))
        dispatch_due()

    run = create_run(definition=dead.definition, unit=job.units[0], user=None, pause=pause)
    assert (run.trigger, run.attempt) == (RunTrigger.TAKEOVER, 2)


def test_a_command_watches_the_dead_run_of_another_job_that_shares_its_lease(job: CountingJob, clock: Any) -> None:
    dead, _ = begin(job)
    other = CountingJob(key="other_job", units=["north"], lease_name=job.key)
    with other.registered():
        run = create_run(
            definition=other.deliver(),
            unit=other.units[0],
            user=None,
            pause=lambda: clock.shift(timedelta(minutes=1)),
        )
        execute_run(run.pk)
    dead.refresh_from_db()
    assert (dead.state, other.executed) == (RunState.INTERRUPTED, ["north"])
