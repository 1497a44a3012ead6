"""With real workers, beat, Redis and PostgreSQL: what is committed arrives by itself, whatever is lost or killed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.db import transaction

from activities.models import Activity
from connections.choices import Pace
from crm_sync.live import waking
from crm_sync.sandbox.serving.running import RunningSandbox
from crm_sync.units import LIVE_JOB_KEY, TRANSFER_JOB_KEY
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.jobs import queue
from ctms.jobs.choices import UNFINISHED_STATES, RunState, RunTrigger
from ctms.jobs.models import JobRun
from ctms.jobs.services import set_job_status
from tests.crm_sync.world import World, build_world
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudySiteFactory
from tests.reliability.end_state import describe_end_state
from tests.reliability.processes import Installation, wait_for

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

QUEUES = "ticks,celery,transfers,live"
SHORT_LEASE = 6  # seconds: a worker on a busy machine renews its lease in time
HUNG_SECONDS = 300  # longer than a test takes, also on a busy machine
LONG_DELAY = 3000  # milliseconds: long enough to kill the worker meanwhile, and shorter than the lease
INTERACTIONS = "Vault_Clinical_Interaction_vod__c"


@pytest.fixture(autouse=True)
def _messages(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process wake the workers, as a web process does."""
    monkeypatch.setattr(waking, "current_app", vars(queue)["current_app"])


@pytest.fixture
def live_world(world: World) -> World:
    """Return a world that has transferred one activity, and works as it happens from then on."""
    activity = ActivityFactory.create(subject="Sent before")
    world.add_accounts([activity.person])
    world.transfer()
    set_job_status(key=TRANSFER_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())
    world.connection.pace = Pace.AS_IT_HAPPENS
    save_record(record=world.connection, actor=build_admin_actor())
    return world


def edit(subject: str) -> None:
    """Commit a change as a form does."""
    with transaction.atomic():
        activity = Activity.objects.get()
        activity.subject = subject
        save_record(record=activity, actor=build_admin_actor())


def is_there(world: World, *subjects: str) -> Callable[[], bool]:
    return lambda: [row["Subject_vod__c"] for row in world.list_interactions()] == list(subjects)


def test_what_is_committed_is_sent_by_the_message_alone(installation: Installation, live_world: World) -> None:
    installation.start(workers=1, queues=QUEUES)
    edit("Seen at once")
    wait_for("the change in the CRM", is_there(live_world, "Seen at once"))


def test_without_a_broker_nothing_is_refused_and_a_tick_sends(
    installation: Installation, live_world: World, broker_url: str
) -> None:
    edit("Its message is lost")
    with redis.Redis.from_url(broker_url) as broker:
        broker.flushdb()
    installation.start(workers=1, beats=1, queues=QUEUES)
    wait_for("the change in the CRM", is_there(live_world, "Its message is lost"))


def test_a_call_is_fetched_by_a_tick(installation: Installation, live_world: World) -> None:
    installation.start(workers=1, beats=1, queues=QUEUES)
    (account,) = [row["Id"] for row in live_world.crm.organisation.list_records(object_name="Account")]
    (call,) = live_world.add_calls([account])
    wait_for("the Medical Activity", lambda: Activity.objects.filter(crm_id=call).exists())


def test_many_edits_are_few_runs_and_the_last_one_is_what_the_crm_has(
    installation: Installation, live_world: World
) -> None:
    installation.start(workers=2, queues=QUEUES)
    for number in range(30):
        edit(f"Edit {number}")
    wait_for("the last change in the CRM", is_there(live_world, "Edit 29"))
    assert JobRun.objects.filter(definition__key=LIVE_JOB_KEY).count() < 30


def test_a_small_connection_does_not_wait_for_a_large_load_of_another(
    installation: Installation, live_world: World, sandbox: RunningSandbox
) -> None:
    """A run of the large one takes the only place of regular transfers, and a place of its own serves the small one."""
    slow = build_world(crm=sandbox["emea"], name="EMEA")
    blocked = slow.crm.misbehaviour.add_rule(match={"path": "/oauth2/token"}, effect={"delay_ms": HUNG_SECONDS * 1000})
    slow.connection.read_timeout = HUNG_SECONDS
    for queues in ("ticks", "transfers", "live"):
        installation.start(workers=1, queues=queues, lease_seconds=2 * HUNG_SECONDS)
    slow.connection.pace = Pace.AS_IT_HAPPENS  # nothing was compared yet, so that a regular run has to
    save_record(record=slow.connection, actor=build_admin_actor())
    edit("Of the small one")
    wait_for("a slow call", lambda: blocked.fired)
    edit("Of the small one, once more")
    wait_for("the change in the CRM", is_there(live_world, "Of the small one, once more"))
    assert JobRun.objects.get(unit_key=str(slow.connection.uid), definition__key=TRANSFER_JOB_KEY).state == (
        RunState.RUNNING
    )


@pytest.mark.parametrize(
    "slow_call",
    [
        {"method": "PATCH", "path": INTERACTIONS, "nth": 1},
        {"method": "PATCH", "path": INTERACTIONS, "nth": 3},
        {"path": "/oauth2/token", "nth": 1},
    ],
    ids=["first batch", "third batch", "log-in"],
)
def test_a_worker_killed_in_mid_run_is_continued_and_nothing_is_lost_or_there_twice(
    installation: Installation, live_world: World, sandbox: RunningSandbox, slow_call: dict[str, Any]
) -> None:
    people = create_people(20)
    accounts = live_world.add_accounts(Person.objects.filter(last_name__startswith="BULK").order_by("pk"))
    slow = live_world.crm.misbehaviour.add_rule(match=slow_call, effect={"delay_ms": LONG_DELAY})
    worker, beat = installation.start(workers=1, beats=1, lease_seconds=SHORT_LEASE, queues=QUEUES)
    live_world.add_calls(accounts)
    site = StudySiteFactory.create()
    with transaction.atomic():
        create_activities(300, people=people)
        create_activities(300, people=people, study=site.study, study_country=site.study_country, site=site)
    waking.send_wake()
    wait_for("the slow call", lambda: slow.fired)

    worker.kill()
    edit_first()
    installation.start(workers=1, lease_seconds=SHORT_LEASE, queues=QUEUES)
    wait_for("a run that takes over", lambda: JobRun.objects.filter(trigger=RunTrigger.TAKEOVER).exists())
    wait_for("all activities in the CRM", lambda: len(live_world.list_interactions()) == 601)
    wait_for("the change", lambda: any(is_changed(row) for row in live_world.list_interactions()))
    wait_for("all calls", lambda: Activity.objects.exclude(crm_id="").count() == len(accounts))
    beat.kill()
    set_job_status(key=LIVE_JOB_KEY, status=RecordStatus.INACTIVE, actor=build_admin_actor())  # ticks may still wait
    wait_for("the last run", lambda: not JobRun.objects.filter(state__in=UNFINISHED_STATES).exists())

    live_world.transfer()
    found = describe_end_state(live_world)
    assert found == describe_undisturbed_end(sandbox)


def is_changed(row: dict[str, Any]) -> bool:
    return bool(row["Subject_vod__c"] == "Changed after the death")


def edit_first() -> None:
    activity = Activity.objects.order_by("pk").first()
    assert activity is not None
    activity.subject = "Changed after the death"
    save_record(record=activity, actor=build_admin_actor())


def describe_undisturbed_end(sandbox: RunningSandbox) -> dict[str, list[Any]]:
    """Return the end state of another organisation with the same accounts and calls, transferred in this process."""
    undisturbed = build_world(crm=sandbox["emea"], name="EMEA")
    undisturbed.add_accounts(Person.objects.exclude(last_name__startswith="BULK").filter(activities__isnull=False))
    undisturbed.add_calls(undisturbed.add_accounts(Person.objects.filter(last_name__startswith="BULK").order_by("pk")))
    undisturbed.transfer()
    return describe_end_state(undisturbed)
