"""The CRM follows when two persons become one: what was sent moves, and calls of both accounts are the one person's."""

from __future__ import annotations

import pytest

from activities.models import Activity
from ctms.clinical.models import Person
from ctms.records.access import open_object
from ctms.records.merging.services import merge_records
from tests.crm_sync.world import World
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import MonitoringEventFactory, PersonFactory

pytestmark = pytest.mark.django_db


def merge(winner: Person, loser: Person, *taken: str) -> None:
    merge_records(
        access=open_object(user=get_admin_user(), object_name="person__sys"),
        winner=Person.objects.get(pk=winner.pk),
        loser=Person.objects.get(pk=loser.pk),
        actor=build_admin_actor(),
        taken=taken,
        expected_versions=(Person.objects.get(pk=winner.pk).version, Person.objects.get(pk=loser.pk).version),
    )


def list_accounts(world: World) -> dict[str, str]:
    return {row["Subject_vod__c"]: row["Account_vod__c"] for row in world.list_interactions()}


def test_what_was_sent_moves_to_the_account_of_the_person_that_stays(world: World) -> None:
    winner, loser = PersonFactory.create_batch(2)
    first, second = world.add_accounts([winner, loser])
    ActivityFactory.create(person=winner, subject="of the first")
    ActivityFactory.create(person=loser, subject="of the second")
    world.transfer()
    assert list_accounts(world) == {"of the first": first, "of the second": second}
    merge(winner, loser)
    world.transfer()
    assert list_accounts(world) == {"of the first": first, "of the second": first}
    assert not world.list_exceptions()


def test_with_the_identifier_of_the_other_everything_moves_there(world: World) -> None:
    winner, loser = PersonFactory.create_batch(2)
    _, second = world.add_accounts([winner, loser])
    ActivityFactory.create(person=winner, subject="of the first")
    ActivityFactory.create(person=loser, subject="of the second")
    world.transfer()
    merge(winner, loser, "external_id__v")
    world.transfer()
    assert list_accounts(world) == {"of the first": second, "of the second": second}
    assert not world.list_exceptions()


def test_calls_of_both_accounts_are_of_the_person_that_stays(world: World) -> None:
    winner, loser = PersonFactory.create_batch(2)
    first, second = world.add_accounts([winner, loser])
    world.add_calls([first, second])
    world.transfer()
    assert set(Activity.objects.values_list("person", flat=True)) == {winner.pk, loser.pk}
    merge(winner, loser)
    world.add_calls([second])
    world.transfer()
    assert list(Activity.objects.values_list("person", flat=True)) == [winner.pk] * 3
    assert not world.list_exceptions()
    versions = list(Activity.objects.values_list("version", flat=True))
    world.transfer()
    assert list(Activity.objects.values_list("version", flat=True)) == versions


def test_a_generated_activity_that_was_there_twice_is_shown_as_deleted_once(world: World) -> None:
    winner, loser = PersonFactory.create_batch(2)
    first, _ = world.add_accounts([winner, loser])
    event = MonitoringEventFactory.create()
    for person in (winner, loser):
        ActivityFactory.create(person=person, monitoring_event=event, is_generated=True, subject="Visit")
    world.transfer()
    assert len(world.list_interactions()) == 2
    merge(winner, loser)
    world.transfer()
    subjects = sorted(row["Subject_vod__c"] for row in world.list_interactions())
    assert subjects[0] == "Visit"
    assert "Visit" in subjects[1]
    assert subjects[1] != "Visit"
    assert list_accounts(world)["Visit"] == first
    assert not world.list_exceptions()
