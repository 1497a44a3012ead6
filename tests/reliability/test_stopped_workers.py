"""A worker that is told to end (SIGTERM) stops after its batch, and the next one goes on at once (R3, upgrades)."""

from __future__ import annotations

from pathlib import Path

import pytest

from crm_sync.choices import IntegrationRunState
from crm_sync.jobs import TRANSFER_JOB_KEY
from crm_sync.models import IntegrationRun
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import save_record
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.services import start_now
from tests.crm_sync.world import World
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.reliability.end_state import list_external_ids
from tests.reliability.processes import Installation, wait_for

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

INTERACTIONS = "Vault_Clinical_Interaction_vod__c"
SLOW = 5000  # milliseconds: long enough to tell the worker meanwhile
HUNG_SECONDS = 300  # longer than a worker may take to end, also on a busy machine
LEASE_SECONDS = 3600  # so that nobody can find the run dead: only a hand-over lets another go on


def start_transfer(world: World) -> None:
    start_now(definition=JobDefinition.objects.get(key=TRANSFER_JOB_KEY), user=None)


def list_runs() -> list[tuple[str, str, int]]:
    return list(JobRun.objects.order_by("pk").values_list("state", "trigger", "attempt"))


def wait_for_success() -> None:
    wait_for("the next run", lambda: JobRun.objects.filter(state=RunState.SUCCEEDED).exists())


HANDED_OVER = [
    (RunState.INTERRUPTED, RunTrigger.START_NOW, 1),
    (RunState.SUCCEEDED, RunTrigger.TAKEOVER, 1),
]


def test_a_worker_told_to_end_finishes_its_batch_and_the_next_one_goes_on_without_waiting(
    installation: Installation, world: World, sandbox: RunningSandbox
) -> None:
    people = create_people(20)
    world.add_accounts(people)
    activities = create_activities(1000, people=people)
    world.connection.concurrency = 1  # five batches, one after the other
    save_record(record=world.connection, actor=build_admin_actor())
    slow = world.crm.misbehaviour.add_rule(
        match={"method": "PATCH", "path": INTERACTIONS, "nth": 2}, effect={"delay_ms": SLOW}
    )
    (worker,) = installation.start(workers=1, lease_seconds=LEASE_SECONDS)
    start_transfer(world)
    wait_for("the slow call", lambda: slow.fired)

    worker.tell_to_end()
    wait_for("the worker's end", worker.has_ended)

    interrupted, follower = JobRun.objects.order_by("pk")
    assert (interrupted.state, follower.state) == (RunState.INTERRUPTED, RunState.QUEUED)
    assert interrupted.message == "The worker was stopped; another run goes on from here."
    assert "Then the worker was stopped." in interrupted.log
    assert not Lease.objects.filter(is_held=True).exists()
    part = IntegrationRun.objects.filter(run=interrupted).latest("pk")
    assert (part.state, 0 < part.sent < len(activities)) == (IntegrationRunState.INTERRUPTED, True)
    # What the CRM has confirmed is written down: nothing is sent twice.
    assert len(list_external_ids(world)) == part.sent

    installation.start(workers=1, lease_seconds=LEASE_SECONDS)
    wait_for_success()
    assert list_runs() == HANDED_OVER
    assert list_external_ids(world) == sorted(str(activity.uid) for activity in activities)
    sent = IntegrationRun.objects.filter(integration=part.integration).values_list("sent", flat=True)
    assert sum(sent) == len(activities)


def test_a_worker_told_to_end_does_not_wait_for_an_answer_that_it_only_reads(
    installation: Installation, world: World
) -> None:
    people = create_people(2)
    world.add_accounts(people)
    create_activities(10, people=people)
    world.connection.read_timeout = HUNG_SECONDS
    save_record(record=world.connection, actor=build_admin_actor())
    hung = world.crm.misbehaviour.add_rule(match={"path": "/query", "nth": 2}, effect={"delay_ms": HUNG_SECONDS * 1000})
    (worker,) = installation.start(workers=1, lease_seconds=LEASE_SECONDS)
    start_transfer(world)
    wait_for("the call that hangs", lambda: hung.fired)

    worker.tell_to_end()
    wait_for("the worker's end", worker.has_ended)
    installation.start(workers=1, lease_seconds=LEASE_SECONDS)
    wait_for_success()

    assert list_runs() == HANDED_OVER
    assert len(world.list_interactions()) == 10


def test_beat_told_to_end_ends_and_leaves_nothing_behind(
    installation: Installation, world: World, tmp_path: Path
) -> None:
    (beat,) = installation.start(beats=1)
    beat.wait_for_log("Sending due task dispatch-due-jobs")
    beat.tell_to_end()
    wait_for("the end of beat", beat.has_ended)
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]
