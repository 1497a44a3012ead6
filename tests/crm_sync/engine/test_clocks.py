"""No clock decides what is sent: neither one that was set back nor one of a host that is behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.sandbox.serving.running import RunningSandbox
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Person
from tests.clocks import SteppedClock
from tests.crm_sync.world import World, build_world
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 10, 1, 12, 0, tzinfo=UTC)
OUT = IntegrationKind.CALL_OUTBOUND


@pytest.fixture
def clock() -> Iterator[SteppedClock]:
    clock = SteppedClock()
    clock.set(NOON)
    yield clock
    clock.stop()


@pytest.fixture
def world(sandbox: RunningSandbox, quick_retries: None, db: None, clock: SteppedClock) -> World:
    """Built under the clock of the test: a token of the CRM is as old as its clock says."""
    return build_world(crm=sandbox["na"])


@pytest.fixture
def person(world: World) -> Person:
    person = PersonFactory.create()
    world.add_accounts([person])
    return person


def list_subjects(world: World) -> dict[str, str]:
    return {row["Vault_External_ID_vod__c"]: row["Subject_vod__c"] for row in world.list_interactions()}


def edit(activity: Activity, subject: str) -> None:
    activity.subject = subject
    save_record(record=activity, actor=build_admin_actor())


@pytest.mark.every_dialect
def test_what_is_written_after_the_clock_was_set_back_is_sent_by_the_next_run(
    world: World, clock: SteppedClock, person: Person
) -> None:
    edited, deleted = ActivityFactory.create_batch(2, person=person, subject="Before")
    clock.step(hours=2)
    world.transfer()
    clock.step(hours=-1)
    edit(edited, "Edited")
    new = ActivityFactory.create(person=person, subject="New")
    delete_record(record=deleted, actor=build_admin_actor())
    clock.step(minutes=20)
    run = world.transfer()
    assert world.count(run, OUT) == {"selected": 3, "sent": 3, "created": 1, "updated": 1, "deleted": 1}
    assert list_subjects(world) == {
        str(edited.uid): "Edited",
        str(new.uid): "New",
        str(deleted.uid): "Before Deleted",
    }


@pytest.mark.every_dialect
def test_what_a_host_writes_whose_clock_is_behind_is_sent(world: World, clock: SteppedClock, person: Person) -> None:
    clock.step(hours=2)
    world.transfer()
    clock.step(minutes=-14)
    logged = ActivityFactory.create(person=person, subject="Logged")
    clock.step(minutes=15)
    world.transfer()
    assert list_subjects(world) == {str(logged.uid): "Logged"}


@pytest.mark.every_dialect
def test_a_change_of_a_study_written_by_a_host_whose_clock_is_behind_is_sent(
    world: World, clock: SteppedClock, person: Person
) -> None:
    study = StudyFactory.create()
    ActivityFactory.create(person=person, study=study)
    clock.step(hours=2)
    world.transfer()
    clock.step(minutes=-14)
    study.study_name = "Renamed"
    save_record(record=study, actor=build_admin_actor())
    clock.step(minutes=15)
    run = world.transfer()
    assert [row["Study_Name_vod__c"] for row in world.list_studies()] == ["Renamed"]
    assert world.count(run, OUT) == {"selected": 1, "unchanged": 1}


@pytest.mark.every_dialect
def test_a_record_that_failed_is_tried_again_however_the_clock_was_set(world: World, clock: SteppedClock) -> None:
    person = PersonFactory.create()
    activity = ActivityFactory.create(person=person, subject="Waits")
    world.transfer()
    assert len(world.list_exceptions()) == 1
    clock.step(days=-3)
    world.add_accounts([person])
    world.transfer()
    assert (list_subjects(world), world.list_exceptions()) == ({str(activity.uid): "Waits"}, [])
