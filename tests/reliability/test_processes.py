"""With real beats and workers each slot runs once, and a run whose worker dies is continued (R3, R4, R5)."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.db import connection as database
from django.db import connections

from activities.jobs import GENERATE_JOB_KEY
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import queue
from ctms.jobs.choices import UNFINISHED_STATES, RunState, RunTrigger
from ctms.jobs.errors import JobAlreadyRunningError
from ctms.jobs.models import JobClock, JobDefinition, JobRun
from ctms.jobs.services import set_job_status, start_now
from tests.crm_sync.world import World, build_world
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudySiteFactory
from tests.reliability.broker_proxy import open_proxy
from tests.reliability.conftest import send_through
from tests.reliability.end_state import describe_end_state, list_external_ids, list_medical_activities
from tests.reliability.processes import REPOSITORY, CeleryProcess, Installation, wait_for

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

SHORT_LEASE = 6  # seconds: a worker on a busy machine renews its lease in time
HUNG_SECONDS = 300  # longer than a test takes, also on a busy machine
LONG_DELAY = 3000  # milliseconds: long enough to kill the caller meanwhile, and shorter than the lease
INTERACTIONS = "Vault_Clinical_Interaction_vod__c"
ACTIVITIES = 1000
CALLS = 200
Kill = Callable[[CeleryProcess, Installation], None]


@pytest.fixture
def second_world(sandbox: RunningSandbox, world: World) -> World:
    return build_world(crm=sandbox["emea"], name="EMEA")


@pytest.fixture
def full_world(world: World) -> World:
    """Return a world whose transfer takes five calls for activities and four pages of calls."""
    people = create_people(20)
    site = StudySiteFactory.create()
    create_activities(ACTIVITIES - 400, people=people)
    create_activities(400, people=people, study=site.study, study_country=site.study_country, site=site)
    add_accounts_and_calls(world)
    return world


def add_accounts_and_calls(world: World) -> None:
    accounts = world.add_accounts(Person.objects.filter(last_name__startswith="BULK").order_by("pk"))
    world.add_calls(accounts * (CALLS // len(accounts)))


def get_definition() -> JobDefinition:
    return JobDefinition.objects.get(key=TRANSFER_JOB_KEY)


def start_transfer() -> None:
    start_now(definition=get_definition(), user=None)


def wait_until_idle(*, runs: int) -> None:
    """Wait until there are at least this many runs and all are finished."""

    def is_idle() -> bool:
        states = list(JobRun.objects.values_list("state", flat=True))
        return len(states) >= runs and not set(states) & set(UNFINISHED_STATES)

    wait_for(f"{runs} finished runs", is_idle)


def list_runs() -> list[tuple[str, str]]:
    """Return state and trigger of each run, in order."""
    return list(JobRun.objects.order_by("pk").values_list("state", "trigger"))


# -- Each slot once -------------------------------------------------------------------------------


def test_two_beats_and_two_workers_run_each_slot_once(
    installation: Installation, world: World, second_world: World
) -> None:
    worlds = [world, second_world]
    people = create_people(20)
    accounts = [each.add_accounts(people) for each in worlds]
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    *_, first_beat, second_beat = installation.start(workers=2, beats=2)
    activities = []
    slots = [get_now().replace(microsecond=0) - timedelta(hours=hours) for hours in (30, 2, 1)]
    for number, slot in enumerate(slots, start=1):
        activities += create_activities(250, people=people)
        for each, its_accounts in zip(worlds, accounts, strict=True):
            each.add_calls(its_accounts)
        JobClock.objects.filter(definition=get_definition()).update(next_run_at=slot)
        wait_until_idle(runs=number * len(worlds))
    for beat in (first_beat, second_beat):
        beat.wait_for_log("Sending due task dispatch-due-jobs", times=len(slots))

    runs = JobRun.objects.values_list("slot", "unit_key", "state", "attempt")
    keys = [str(each.connection.uid) for each in worlds]
    assert Counter(runs) == Counter((slot, key, RunState.SUCCEEDED, 1) for slot in slots for key in keys)
    uids = sorted(str(activity.uid) for activity in activities)
    assert [list_external_ids(each) for each in worlds] == [uids, uids]
    received = [len(list_medical_activities(each)) for each in worlds]
    assert received == [len(slots) * len(people)] * 2


def test_start_now_pressed_twice_at_once_runs_each_connection_once(
    installation: Installation, world: World, second_world: World
) -> None:
    for each in (world, second_world):  # so that no run ends before both have pressed
        each.crm.misbehaviour.add_rule(match={"nth": 1}, effect={"delay_ms": LONG_DELAY})
    installation.start(workers=2)
    together = threading.Barrier(2)

    def press() -> None:
        together.wait()
        with suppress(JobAlreadyRunningError):
            start_transfer()
        connections.close_all()

    presses = [threading.Thread(target=press) for _ in range(2)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    wait_until_idle(runs=2)

    runs = JobRun.objects.values_list("unit_label", "state", "trigger")
    assert Counter(runs) == {
        ("NA", RunState.SUCCEEDED, RunTrigger.START_NOW): 1,
        ("EMEA", RunState.SUCCEEDED, RunTrigger.START_NOW): 1,
    }


def test_a_run_that_four_messages_name_runs_once(installation: Installation, world: World) -> None:
    people = create_people(1)
    world.add_accounts(people)
    create_activities(1, people=people)
    world.crm.misbehaviour.add_rule(match={"nth": 1}, effect={"delay_ms": LONG_DELAY})
    workers = installation.start(workers=2)

    (run,) = start_now(definition=get_definition(), user=None)
    for _ in range(3):
        queue.send_message(run.pk)
    done = re.compile(r"task ended .*task=jobs\.execute_run ")
    wait_for("four tasks", lambda: sum(len(done.findall(worker.read_log())) for worker in workers) == 4)

    assert list_runs() == [(RunState.SUCCEEDED, RunTrigger.START_NOW)]
    assert world.crm.request_log.count(path_contains="/oauth2/token") == 1
    assert len(world.list_interactions()) == 1


# -- What dies is continued -----------------------------------------------------------------------


def kill_the_pool(worker: CeleryProcess, installation: Installation) -> None:
    """Kill the child. The parent starts another and gets the message again, whose run is no longer queued."""
    worker.kill_pool()
    (message,) = set(re.findall(r"jobs.execute_run\S+ received", worker.read_log()))  # perhaps there again by now
    worker.wait_for_log(message, times=2)
    identity = message.removeprefix("jobs.execute_run[").removesuffix("] received")
    wait_for("the end of the second", lambda: re.search(rf"task ended .*task_id={identity}", worker.read_log()))


def kill_the_worker(worker: CeleryProcess, installation: Installation) -> None:
    """Kill parent and child together, and start another worker."""
    worker.kill()
    installation.start(workers=1, lease_seconds=SHORT_LEASE)


@pytest.mark.parametrize(
    ("slow_call", "kill"),
    [
        ({"method": "PATCH", "path": INTERACTIONS, "nth": 1}, kill_the_worker),
        ({"method": "PATCH", "path": INTERACTIONS, "nth": 4}, kill_the_pool),
        ({"method": "PATCH", "path": INTERACTIONS, "nth": 5}, kill_the_worker),
        ({"path": "/query/", "nth": 2}, kill_the_pool),
    ],
    ids=["worker, first batch", "pool, fourth batch", "worker, last batch", "pool, third page of calls"],
)
def test_a_worker_killed_in_mid_transfer_is_continued_by_the_next_tick(
    installation: Installation, full_world: World, sandbox: RunningSandbox, slow_call: dict[str, object], kill: Kill
) -> None:
    misbehaviour = full_world.crm.misbehaviour
    slow = misbehaviour.add_rule(match=slow_call, effect={"delay_ms": LONG_DELAY})
    misbehaviour.add_rule(match={"path": "/query"}, effect={"page_size": CALLS // 4})
    worker, _ = installation.start(workers=1, beats=1, lease_seconds=SHORT_LEASE)
    start_transfer()
    wait_for("the slow call", lambda: slow.fired)

    kill(worker, installation)
    wait_until_idle(runs=2)

    (first, *_, last) = list_runs()
    assert (first, last) == (
        (RunState.INTERRUPTED, RunTrigger.START_NOW),
        (RunState.SUCCEEDED, RunTrigger.TAKEOVER),
    )
    assert describe_end_state(full_world) == describe_undisturbed_end(sandbox)


def describe_undisturbed_end(sandbox: RunningSandbox) -> dict[str, list[Any]]:
    """Return the end state of a second organisation with the same accounts and calls, transferred in this process."""
    undisturbed = build_world(crm=sandbox["emea"], name="EMEA")
    add_accounts_and_calls(undisturbed)
    undisturbed.transfer()
    end_state = describe_end_state(undisturbed)
    assert [len(end_state[name]) for name in (INTERACTIONS, "Medical Activities")] == [ACTIVITIES, CALLS]
    return end_state


def test_the_broker_keeps_a_message_until_its_task_is_over_and_a_worker_takes_no_second_one(
    installation: Installation,
) -> None:
    limits = installation.run_python(
        "from ctms.celery import app\n"
        "with app.connection_for_read() as connection:\n"
        "    timeout = connection.default_channel.visibility_timeout\n"
        "print(timeout > app.conf.task_time_limit > app.conf.task_soft_time_limit, app.conf.task_acks_late,\n"
        "      app.conf.task_reject_on_worker_lost, app.conf.worker_prefetch_multiplier)"
    )

    assert limits == "True True True 1"


def test_a_dropped_database_connection_is_healed(
    installation: Installation, full_world: World, sandbox: RunningSandbox
) -> None:
    slow = full_world.crm.misbehaviour.add_rule(
        match={"method": "PATCH", "path": INTERACTIONS, "nth": 3}, effect={"delay_ms": LONG_DELAY}
    )
    installation.start(workers=1, beats=1, lease_seconds=SHORT_LEASE)
    start_transfer()
    wait_for("the slow call", lambda: slow.fired)

    with database.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        assert cursor.fetchone()[0] >= 1
    wait_until_idle(runs=2)

    assert list_runs()[-1] == (RunState.SUCCEEDED, RunTrigger.TAKEOVER)
    assert describe_end_state(full_world) == describe_undisturbed_end(sandbox)


def test_a_message_lost_with_the_broker_is_sent_again(installation: Installation, world: World) -> None:
    with redis.Redis.from_url(installation.broker_url) as broker:
        start_transfer()
        assert broker.llen("transfers") == 1
        broker.flushdb()
    installation.start(workers=1, beats=1)

    wait_until_idle(runs=1)

    assert list_runs() == [(RunState.SUCCEEDED, RunTrigger.START_NOW)]


def test_a_broker_flushed_in_mid_run_disturbs_neither_this_run_nor_the_next(
    installation: Installation, full_world: World, sandbox: RunningSandbox
) -> None:
    slow = full_world.crm.misbehaviour.add_rule(
        match={"method": "PATCH", "path": INTERACTIONS, "nth": 3}, effect={"delay_ms": LONG_DELAY}
    )
    installation.start(workers=1, beats=1)
    start_transfer()
    wait_for("the slow call", lambda: slow.fired)

    with redis.Redis.from_url(installation.broker_url) as broker:
        broker.flushdb()
    wait_until_idle(runs=1)
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    JobClock.objects.filter(definition=get_definition()).update(next_run_at=get_now())
    wait_until_idle(runs=2)

    assert list_runs() == [
        (RunState.SUCCEEDED, RunTrigger.START_NOW),
        (RunState.SUCCEEDED, RunTrigger.SCHEDULE),
    ]
    assert describe_end_state(full_world) == describe_undisturbed_end(sandbox)


def test_slow_organisations_that_take_all_places_of_transfers_delay_neither_ticks_nor_other_work(
    installation: Installation, world: World, second_world: World
) -> None:
    slow = [
        each.crm.misbehaviour.add_rule(match={"path": "/oauth2/token"}, effect={"delay_ms": HUNG_SECONDS * 1000})
        for each in (world, second_world)
    ]
    for each in (world, second_world):
        each.connection.read_timeout = HUNG_SECONDS
        save_record(record=each.connection, actor=build_admin_actor())
    for queues in ("ticks", "celery", "transfers"):
        installation.start(workers=1, queues=queues, lease_seconds=2 * HUNG_SECONDS)
    start_transfer()
    wait_for("a slow call", lambda: any(rule.fired for rule in slow))

    set_job_status(key=GENERATE_JOB_KEY, status=RecordStatus.ACTIVE, actor=build_admin_actor())
    JobClock.objects.filter(definition__key=GENERATE_JOB_KEY).update(next_run_at=get_now())
    installation.start(beats=1)
    generated = JobRun.objects.filter(definition__key=GENERATE_JOB_KEY)
    wait_for("the other job", lambda: generated.filter(state=RunState.SUCCEEDED).exists())

    transfers = JobRun.objects.filter(definition__key=TRANSFER_JOB_KEY)
    assert sorted(transfers.values_list("state", flat=True)) == [RunState.QUEUED, RunState.RUNNING]


def test_a_scheduler_keeps_nothing_on_disk(installation: Installation, world: World, tmp_path: Path) -> None:
    before = set(REPOSITORY.iterdir())
    _, beat = installation.start(workers=1, beats=1)
    beat.wait_for_log("Sending due task dispatch-due-jobs", times=3)
    assert [path for path in set(REPOSITORY.iterdir()) - before if "beat" in path.name] == []
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".log", ".log"]


def test_a_broker_that_hangs_keeps_neither_a_page_nor_later_the_workers_waiting(
    installation: Installation, world: World, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_proxy(broker_url) as (proxy, url):
        send_through(url, monkeypatch=monkeypatch)
        installation.broker_url = url
        worker, _ = installation.start(workers=1, beats=1)
        worker.wait_for_log("Task jobs.dispatch_due")
        proxy.flows.clear()
        start_transfer()
        assert list_runs() == [(RunState.QUEUED, RunTrigger.START_NOW)]
        proxy.flows.set()
        wait_until_idle(runs=1)

    assert list_runs() == [(RunState.SUCCEEDED, RunTrigger.START_NOW)]
