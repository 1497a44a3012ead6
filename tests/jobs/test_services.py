"""Creating, dispatching and executing jobs in one process; for several processes see tests/reliability."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from celery.exceptions import SoftTimeLimitExceeded
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from kombu.exceptions import OperationalError as BrokerError
from pytest_django import DjangoCaptureOnCommitCallbacks

from ctms.accounts.selectors import get_system_user
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.jobs import queue, registry, tasks
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError, LeaseLostError, UnknownJobError
from ctms.jobs.leases import acquire_lease
from ctms.jobs.models import JobClock, JobDefinition, JobRun, Lease
from ctms.jobs.queue import MAX_TAKEOVERS
from ctms.jobs.registry import RunContext, RunOutcome
from ctms.jobs.services import (
    DispatchReport,
    create_run,
    deliver_job_definitions,
    dispatch_due,
    execute_run,
    set_job_status,
    start_now,
)
from tests.factories.base import build_admin_actor, get_admin_user
from tests.jobs.handlers import CountingJob, let_lease_run_out, set_due

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("messages"), pytest.mark.both_databases]

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOTHING = DispatchReport(claimed=0, taken_over=0, sent_again=0)
PATIENCE = timedelta(seconds=settings.JOB_REQUEUE_SECONDS)
TTL = timedelta(seconds=settings.JOB_LEASE_SECONDS)


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(NOON, tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def commits(django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks) -> Any:
    """Messages are sent when a transaction commits. A test's own never does, so tests mark where one would."""
    return django_capture_on_commit_callbacks


def describe_runs() -> list[tuple[str, str, str]]:
    return list(JobRun.objects.order_by("id").values_list("unit_key", "state", "trigger"))


def start(job: CountingJob, unit: str = "north") -> tuple[JobRun, RunContext]:
    """Return a run that has begun and not ended, and the context that its handler gets."""
    definition = job.deliver()
    run = create_run(definition=definition, unit=next(u for u in job.units if u.key == unit), user=None)
    JobRun.objects.filter(pk=run.pk).update(state=RunState.RUNNING)
    lease = acquire_lease(key=f"{job.key}:{unit}", run=run)
    assert lease is not None
    run.refresh_from_db()
    return run, RunContext(run=run, lease=lease)


# -- Delivery and schedule ------------------------------------------------------------------------
def test_a_registered_job_is_delivered_once_and_inactive(job: CountingJob) -> None:
    for _ in range(2):
        deliver_job_definitions(actor=build_admin_actor())
    definition = JobDefinition.objects.get(key=job.key)
    assert (definition.name, definition.status, definition.frequency) == ("Counting Job", "inactive__v", "hourly")
    assert AuditEntry.objects.filter(record_uid=definition.uid).count() == 1


def test_the_transfer_is_delivered_inactive_and_hourly_by_the_user_system() -> None:
    definition = JobDefinition.objects.get(name="CRM/Clinical Operations Transfer")
    assert (definition.status, definition.frequency) == ("inactive__v", "hourly")
    assert definition.created_by == get_system_user()


def test_a_delivery_leaves_alone_what_an_admin_changed(job: CountingJob) -> None:
    definition = job.deliver()
    definition.name = "Renamed"
    save_record(record=definition, actor=build_admin_actor())
    deliver_job_definitions(actor=build_admin_actor())
    assert JobDefinition.objects.get(key=job.key).name == "Renamed"


def test_an_activated_job_is_due_at_its_next_regular_time(job: CountingJob, clock: Any) -> None:
    definition = job.activate()
    assert definition.clock.next_run_at == NOON + timedelta(hours=1)
    clock.move_to(NOON + timedelta(days=3))
    set_job_status(key=job.key, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    set_job_status(key=job.key, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    assert JobClock.objects.get(definition=definition).next_run_at == NOON + timedelta(days=3, hours=1)


@pytest.mark.parametrize(("field", "value"), [("minute", 60), ("hour", 24), ("weekday", 7), ("frequency", "yearly")])
def test_a_time_that_is_none_is_refused_by_field(job: CountingJob, field: str, value: int | str) -> None:
    definition = job.deliver()
    setattr(definition, field, value)
    with pytest.raises(ValidationError) as raised:
        save_record(record=definition, actor=build_admin_actor())
    assert field in raised.value.message_dict


# -- The tick -------------------------------------------------------------------------------------
def test_a_due_job_runs_every_unit_once(
    job: CountingJob, clock: Any, messages: list[int], commits: DjangoCaptureOnCommitCallbacks
) -> None:
    definition = job.activate(due=NOON)
    with commits(execute=True):
        assert dispatch_due() == DispatchReport(claimed=1, taken_over=0, sent_again=0)
    assert describe_runs() == [("north", "queued", "schedule"), ("south", "queued", "schedule")]
    assert messages == list(JobRun.objects.order_by("id").values_list("pk", flat=True))
    assert JobClock.objects.get(definition=definition).next_run_at == NOON + timedelta(hours=1)
    with commits(execute=True):
        assert dispatch_due() == NOTHING
    assert JobRun.objects.count() == 2


def test_slots_missed_while_everything_was_down_are_run_once(job: CountingJob, clock: Any) -> None:
    definition = job.activate(due=NOON - timedelta(days=3))
    dispatch_due()
    assert list(JobRun.objects.values_list("slot", flat=True)) == [NOON - timedelta(days=3)] * 2
    assert JobClock.objects.get(definition=definition).next_run_at == NOON + timedelta(hours=1)
    assert dispatch_due() == NOTHING


@pytest.mark.parametrize("due", [NOON + timedelta(microseconds=1), NOON + timedelta(minutes=1)])
def test_a_job_is_not_run_before_its_time(job: CountingJob, clock: Any, due: datetime) -> None:
    job.activate(due=due)
    assert dispatch_due() == NOTHING


def test_an_inactive_job_is_not_run_although_its_time_came(job: CountingJob, clock: Any) -> None:
    set_due(job.deliver(), NOON)
    assert dispatch_due() == NOTHING


def test_a_unit_still_at_work_at_the_next_slot_is_left_alone_and_the_others_run(job: CountingJob, clock: Any) -> None:
    start(job, "north")
    job.activate(due=NOON)
    dispatch_due()
    assert describe_runs() == [("north", "running", "command"), ("south", "queued", "schedule")]


def test_a_job_without_code_keeps_no_other_from_running(job: CountingJob, clock: Any) -> None:
    gone = CountingJob(key="a_job_of_yesterday", units=["x"])
    with gone.registered():
        gone.activate(due=NOON)
    job.activate(due=NOON)
    assert dispatch_due() == DispatchReport(claimed=1, taken_over=0, sent_again=0)
    assert {run.definition.key for run in JobRun.objects.select_related("definition")} == {job.key}


def test_a_job_that_cannot_list_its_units_keeps_no_other_from_running_and_stays_due(
    job: CountingJob, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = CountingJob(key="a_broken_job", units=["x"])
    with broken.registered():
        broken.activate(due=NOON)
        monkeypatch.delattr(broken, "units")
        job.activate(due=NOON)
        assert dispatch_due().claimed == 1
        broken.units = job.units
        clock.move_to(NOON + timedelta(minutes=1))
        assert dispatch_due().claimed == 1
    assert [run.slot for run in JobRun.objects.filter(definition__key=broken.key)] == [NOON, NOON]


def test_the_beat_entry_is_the_tick(job: CountingJob, clock: Any) -> None:
    assert settings.CELERY_BEAT_SCHEDULE["dispatch-due-jobs"]["task"] == tasks.dispatch_due.name
    job.activate(due=NOON)
    tasks.dispatch_due()
    assert JobRun.objects.count() == 2


# -- Messages that get lost -----------------------------------------------------------------------
def test_a_run_whose_message_was_lost_is_sent_again_by_a_later_tick(
    job: CountingJob, clock: Any, messages: list[int], commits: DjangoCaptureOnCommitCallbacks
) -> None:
    (run, _) = start_now(definition=job.deliver(), user=None)  # committed, and then the process died
    clock.move_to(NOON + PATIENCE - timedelta(seconds=1))
    with commits(execute=True):
        assert dispatch_due() == NOTHING
    clock.move_to(NOON + PATIENCE)
    with commits(execute=True):
        assert dispatch_due().sent_again == 2
    with commits(execute=True):
        assert dispatch_due() == NOTHING
    assert messages[0] == run.pk
    assert len(messages) == 2


@pytest.mark.parametrize("error", [BrokerError("refused"), ConnectionRefusedError(), OSError("disk full")])
def test_a_broker_that_is_down_delays_a_run_and_fails_nobody(
    job: CountingJob, clock: Any, messages: list[int], commits: DjangoCaptureOnCommitCallbacks, error: Exception
) -> None:
    with patch.object(queue, "send_message", side_effect=error), commits(execute=True):
        runs = start_now(definition=job.deliver(), user=None)
    assert describe_runs() == [("north", "queued", "start_now"), ("south", "queued", "start_now")]
    clock.move_to(NOON + PATIENCE)
    with commits(execute=True):
        dispatch_due()
    assert messages == [run.pk for run in runs]


def test_a_message_that_comes_twice_runs_once(job: CountingJob) -> None:
    (run, _) = start_now(definition=job.deliver(), user=None)
    assert execute_run(run.pk) is not None
    assert execute_run(run.pk) is None
    tasks.execute_job_run(run.pk)
    assert job.executed == ["north"]


# -- Start Now ------------------------------------------------------------------------------------
def test_start_now_runs_every_unit_of_an_inactive_job_for_its_user(job: CountingJob, clock: Any) -> None:
    definition, user = job.deliver(), get_admin_user()
    runs = start_now(definition=definition, user=user)
    assert describe_runs() == [("north", "queued", "start_now"), ("south", "queued", "start_now")]
    assert [(run.requested_by, run.slot, run.unit_label) for run in runs] == [
        (user, NOON, "North"),
        (user, NOON, "South"),
    ]


def test_start_now_pressed_twice_runs_once(job: CountingJob) -> None:
    definition = job.deliver()
    start_now(definition=definition, user=None)
    with pytest.raises(JobAlreadyRunningError, match="Counting Job is scheduled or running already; see Job Status"):
        start_now(definition=definition, user=None)
    assert JobRun.objects.count() == 2


def test_start_now_runs_the_units_that_are_free(job: CountingJob) -> None:
    start(job, "north")
    runs = start_now(definition=job.deliver(), user=None)
    assert [run.unit_key for run in runs] == ["south"]


def test_start_now_without_units_starts_nothing(job: CountingJob) -> None:
    job.units = []
    assert start_now(definition=job.deliver(), user=None) == []


def test_start_now_of_a_job_without_code_says_so(job: CountingJob) -> None:
    definition = job.deliver()
    registry._handlers.pop(job.key)
    with pytest.raises(UnknownJobError, match="No installed app does the job 'counting_job'"):
        start_now(definition=definition, user=None)


def test_the_database_refuses_two_unfinished_runs_of_one_unit(job: CountingJob) -> None:
    run, _ = start(job)
    with pytest.raises(IntegrityError, match=r"one_unfinished_run_per_unit|unit_key"), transaction.atomic():
        JobRun.objects.create(definition=run.definition, unit_key="north", slot=NOON, queued_at=NOON)


# -- Running --------------------------------------------------------------------------------------
def test_a_run_ends_with_what_its_job_says(job: CountingJob, clock: Any) -> None:
    (queued, _) = start_now(definition=job.deliver(), user=None)
    told: list[dict[str, Any]] = []

    def work(context: RunContext) -> RunOutcome:
        assert JobRun.objects.get(pk=queued.pk).state == RunState.RUNNING
        clock.move_to(NOON + timedelta(seconds=30))
        context.lease.renew(progress={"sent": 200})
        return RunOutcome(state=RunState.WITH_EXCEPTIONS, message="2 failed.", result={"sent": 200}, log="2 failed")

    job.act = work
    run = execute_run(queued.pk, on_progress=told.append)
    assert run is not None
    run.refresh_from_db()
    assert (run.state, run.message, run.result, run.log) == ("with_exceptions", "2 failed.", {"sent": 200}, "2 failed")
    assert (run.started_at, run.finished_at) == (NOON, NOON + timedelta(seconds=30))
    assert told == [{"sent": 200}]
    lease = Lease.objects.get()
    assert (lease.key, lease.run, lease.is_held) == ("counting_job:north", None, False)


@pytest.mark.parametrize(
    ("error", "state", "message"),
    [
        (VaultError("The password is wrong. Set it again."), "failed", "The password is wrong. Set it again."),
        (
            RuntimeError("canary"),
            "failed",
            "An unexpected RuntimeError ended the run; the worker's log has the details.",
        ),
        (
            SoftTimeLimitExceeded(),
            "interrupted",
            "The run reached its time limit; the next one goes on from here.",
        ),
    ],
)
def test_a_run_that_fails_says_how_and_leaves_the_unit_free(
    job: CountingJob, error: Exception, state: str, message: str
) -> None:
    def fail(_context: RunContext) -> RunOutcome:
        raise error

    job.act = fail
    definition = job.deliver()
    (queued, _) = start_now(definition=definition, user=None)
    execute_run(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.message) == (state, message)
    assert [run.unit_key for run in start_now(definition=definition, user=None)] == ["north"]


def test_a_run_of_a_job_without_code_fails_and_says_so(job: CountingJob) -> None:
    (queued, _) = start_now(definition=job.deliver(), user=None)
    registry._handlers.pop(job.key)
    execute_run(queued.pk)
    queued.refresh_from_db()
    assert queued.state == RunState.FAILED
    assert queued.message.startswith("No installed app does the job 'counting_job'.")


def test_a_run_whose_unit_is_leased_to_somebody_else_is_skipped(job: CountingJob) -> None:
    acquire_lease(key="counting_job:north", run=None)
    (queued, _) = start_now(definition=job.deliver(), user=None)
    execute_run(queued.pk)
    queued.refresh_from_db()
    assert (queued.state, queued.message) == (
        "skipped",
        "A page of the Vault was at work on the same. The next run does what it leaves undone.",
    )
    assert job.executed == []


# -- Takeover -------------------------------------------------------------------------------------
def test_a_run_whose_lease_ran_out_is_interrupted_and_its_work_queued_anew(
    job: CountingJob, messages: list[int], commits: DjangoCaptureOnCommitCallbacks
) -> None:
    dead, context = start(job)
    context.lease.renew(progress={"sent": 400})
    let_lease_run_out(dead.pk)
    with commits(execute=True):
        assert dispatch_due() == DispatchReport(claimed=0, taken_over=1, sent_again=0)
    dead.refresh_from_db()
    assert (dead.state, dead.result) == ("interrupted", {"sent": 400})
    assert dead.message == "The worker stopped in the middle; another run goes on from here."
    successor = JobRun.objects.exclude(pk=dead.pk).get()
    assert (successor.slot, successor.attempt, successor.trigger) == (dead.slot, 2, RunTrigger.TAKEOVER)
    assert messages == [successor.pk]
    with commits(execute=True):
        assert dispatch_due() == NOTHING
    execute_run(successor.pk)
    successor.refresh_from_db()
    assert successor.state == RunState.SUCCEEDED


def test_a_run_that_renews_its_lease_is_not_taken_over_however_long_it_takes(job: CountingJob, clock: Any) -> None:
    _, context = start(job)
    for minute in range(1, 200):
        clock.move_to(NOON + timedelta(minutes=minute))
        context.lease.renew()
        assert dispatch_due() == NOTHING


def test_a_slow_owner_that_was_taken_over_can_write_no_more_even_before_the_successor_began(job: CountingJob) -> None:
    def dawdle(context: RunContext) -> RunOutcome:
        let_lease_run_out(context.run.pk)
        assert dispatch_due().taken_over == 1
        with pytest.raises(LeaseLostError):
            context.lease.renew()
        return RunOutcome(state=RunState.SUCCEEDED, message="All sent.", result={"sent": 1})

    job.act = dawdle
    (slow, _) = start_now(definition=job.deliver(), user=None)
    execute_run(slow.pk)
    slow.refresh_from_db()
    assert (slow.state, slow.result) == (RunState.INTERRUPTED, {})
    successor = JobRun.objects.get(trigger=RunTrigger.TAKEOVER)
    job.act = None
    execute_run(successor.pk)
    successor.refresh_from_db()
    assert successor.state == RunState.SUCCEEDED


def test_a_run_that_notices_its_loss_itself_stays_interrupted_by_the_takeover(job: CountingJob) -> None:
    def dawdle(context: RunContext) -> RunOutcome:
        let_lease_run_out(context.run.pk)
        dispatch_due()
        context.lease.renew()
        raise AssertionError("unreachable")

    job.act = dawdle
    (slow, _) = start_now(definition=job.deliver(), user=None)
    execute_run(slow.pk)
    slow.refresh_from_db()
    assert slow.message == "The worker stopped in the middle; another run goes on from here."


def test_a_run_that_dies_again_and_again_is_given_up_until_its_next_slot(job: CountingJob, clock: Any) -> None:
    start(job)
    for _ in range(MAX_TAKEOVERS + 3):
        let_lease_run_out(JobRun.objects.latest("id").pk)
        dispatch_due()
        queued = JobRun.objects.filter(state=RunState.QUEUED).first()
        if queued is not None:
            JobRun.objects.filter(pk=queued.pk).update(state=RunState.RUNNING)
            acquire_lease(key="counting_job:north", run=queued)
    last = JobRun.objects.latest("id")
    assert (last.attempt, last.state) == (MAX_TAKEOVERS + 1, RunState.INTERRUPTED)
    assert last.message == (
        "The worker stopped in the middle; so did 5 runs before, so that only the next regular one goes on from here."
    )
    job.activate(due=NOON + timedelta(hours=1))
    clock.move_to(NOON + timedelta(hours=1))
    assert dispatch_due().claimed == 1
    assert JobRun.objects.filter(unit_key="north", state=RunState.QUEUED).count() == 1


def test_a_dead_run_of_a_job_without_code_is_taken_over_and_ends_saying_so(job: CountingJob) -> None:
    dead, _ = start(job)
    let_lease_run_out(dead.pk)
    registry._handlers.pop(job.key)
    assert dispatch_due().taken_over == 1
    successor = JobRun.objects.latest("id")
    execute_run(successor.pk)
    successor.refresh_from_db()
    assert successor.state == RunState.FAILED


# -- The command line -----------------------------------------------------------------------------
def test_a_command_executes_a_run_of_its_own(job: CountingJob, clock: Any) -> None:
    run = create_run(definition=job.deliver(), unit=job.units[0], user=get_admin_user())
    assert (run.state, run.trigger, run.slot, run.requested_by) == ("queued", "command", NOON, get_admin_user())
    execute_run(run.pk)
    assert job.executed == ["north"]


def test_a_command_takes_the_run_that_waits_already(job: CountingJob) -> None:
    definition = job.deliver()
    (waiting, _) = start_now(definition=definition, user=None)
    assert create_run(definition=definition, unit=job.units[0], user=None) == waiting


def test_a_command_is_refused_while_the_unit_is_at_work(job: CountingJob) -> None:
    run, _ = start(job)
    with pytest.raises(JobAlreadyRunningError, match="Counting Job for North is running already; see Job Status"):
        create_run(definition=run.definition, unit=job.units[0], user=None)


def test_a_command_goes_on_after_one_that_was_killed_in_the_middle_without_any_tick(job: CountingJob) -> None:
    dead, _ = start(job)
    let_lease_run_out(dead.pk)
    run = create_run(definition=dead.definition, unit=job.units[0], user=None)
    dead.refresh_from_db()
    assert (dead.state, run.state) == (RunState.INTERRUPTED, RunState.QUEUED)
    execute_run(run.pk)
    assert job.executed == ["north"]


def test_a_command_that_died_before_it_began_leaves_its_run_to_the_workers(
    job: CountingJob, clock: Any, messages: list[int], commits: DjangoCaptureOnCommitCallbacks
) -> None:
    run = create_run(definition=job.deliver(), unit=job.units[0], user=None)
    clock.move_to(NOON + PATIENCE)
    with commits(execute=True):
        assert dispatch_due().sent_again == 1
    assert messages == [run.pk]


def test_the_longest_keys_of_job_and_unit_fit_a_lease(clock: Any) -> None:
    long_job = CountingJob(key="j" * 80, units=["u" * 80])
    with long_job.registered():
        (run,) = start_now(definition=long_job.deliver(), user=None)
        execute_run(run.pk)
    assert long_job.executed == ["u" * 80]
    assert Lease.objects.get().key == f"{'j' * 80}:{'u' * 80}"


# -- Outages --------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "error",
    [
        OperationalError("database or disk is full"),
        InterfaceError("connection already closed"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_a_run_that_an_outage_ends_is_left_for_takeover(job: CountingJob, clock: Any, error: Exception) -> None:
    def fail(_context: RunContext) -> RunOutcome:
        raise error

    job.act = fail
    (run, _) = start_now(definition=job.deliver(), user=None)
    with pytest.raises(type(error)):
        execute_run(run.pk)
    run.refresh_from_db()
    assert run.state == RunState.RUNNING
    let_lease_run_out(run.pk)
    assert dispatch_due().taken_over == 1


# -- Queues ---------------------------------------------------------------------------------------
def test_each_kind_of_work_has_a_queue_of_its_own(job: CountingJob) -> None:
    assert tasks.execute_job_run.app.amqp.router.route({}, tasks.dispatch_due.name)["queue"].name == "ticks"
    assert registry.find_queue("crm_clinical_operations_transfer") == "transfers"
    assert registry.find_queue("records.bulk") == "celery"
    assert registry.find_queue("a_job_of_yesterday") == "celery"
