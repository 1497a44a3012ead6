"""Accounts are looked up part by part: each person once, before a record of theirs is sent, and among the batches."""

from __future__ import annotations

import pytest

from activities.models import Activity
from connections.choices import IntegrationKind
from crm_sync.engine.outbound import run as outbound_run
from tests.crm_sync.world import World
from tests.factories.bulk import create_activities, create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
OUT = IntegrationKind.CALL_OUTBOUND
PEOPLE, ACTIVITIES = 12, 24


@pytest.fixture
def accounts(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Return the account of each activity, by external id; activities are sent one by one, and read two by two."""
    monkeypatch.setattr(outbound_run, "BATCH", 1)
    monkeypatch.setattr(outbound_run, "_PART", 2)
    people = create_people(PEOPLE)
    of_person = dict(zip((person.pk for person in people), world.add_accounts(people), strict=True))
    create_activities(ACTIVITIES, people=people)
    return {str(activity.uid): of_person[activity.person_id or 0] for activity in Activity.objects.all()}


def list_calls(world: World) -> list[str]:
    """Return `query` and `batch` in the order in which the CRM answered them."""
    words = []
    for entry in world.crm.request_log:
        if entry.method == "PATCH" and "Vault_Clinical_Interaction_vod__c" in entry.path:
            words.append("batch")
        elif "/query" in entry.path:
            words.append("query")
    return words


def test_each_record_is_sent_with_the_account_of_its_person(world: World, accounts: dict[str, str]) -> None:
    world.transfer()
    sent = {row["Vault_External_ID_vod__c"]: row["Account_vod__c"] for row in world.list_interactions()}
    assert sent == accounts


def test_sending_begins_before_the_last_look_up_and_no_person_is_looked_up_twice(
    world: World, accounts: dict[str, str]
) -> None:
    world.crm.request_log.clear()
    world.transfer()
    calls = list_calls(world)
    width = world.connection.concurrency
    look_ups = 1 + -(-(PEOPLE - width) // 2)  # the first part, and those of two records with persons not seen before
    until_last_batch = calls[: len(calls) - calls[::-1].index("batch")]
    assert calls.count("batch") == ACTIVITIES
    assert until_last_batch.count("query") == look_ups
    first_batch = calls.index("batch")
    assert "query" in calls[first_batch : len(until_last_batch)]


def test_a_person_without_an_account_in_a_later_part_costs_their_records_alone(
    world: World, accounts: dict[str, str]
) -> None:
    last = Activity.objects.order_by("-pk")[0].person
    assert last is not None
    last_id = next(
        row["Id"]
        for row in world.crm.organisation.list_records(object_name="Account")
        if row["External_ID_vod__c"] == last.external_id
    )
    world.delete_in_crm("Account", last_id)
    counts = world.count(world.transfer(), OUT)
    theirs = Activity.objects.filter(person=last).count()
    assert (counts["created"], counts["failed"]) == (ACTIVITIES - theirs, theirs)
