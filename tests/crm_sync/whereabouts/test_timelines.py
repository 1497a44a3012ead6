"""Each entry of a timeline says in one line how it went to the CRM."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from crm_sync.whereabouts.places import list_crm_places
from crm_sync.whereabouts.timelines import mark_records
from ctms.audit.services import save_record
from ctms.records.access import open_object
from tests.crm_sync.world import World
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyPersonFactory

pytestmark = pytest.mark.django_db


def read_marks(*records: Any) -> list[tuple[str, str]]:
    access = open_object(user=UserFactory.create(is_superuser=True), object_name="person__sys")
    for each in records:
        each.refresh_from_db()
    found = mark_records(access, records)
    return [(mark.text, mark.tone) for each in records for mark in found.get(each.uid, [])]


def read_head(record: Any) -> str:
    """Return the line in the head of the record's page."""
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=record.object_name)
    record.refresh_from_db()
    [place] = list_crm_places(access, record)
    return str(place)


def edit(activity: Any, subject: str) -> None:
    activity.refresh_from_db()
    activity.subject = subject
    save_record(record=activity, actor=build_admin_actor())


@pytest.fixture
def afternoon() -> Iterator[None]:
    with time_machine.travel("2026-06-01T12:10:00Z", tick=True), timezone.override("Europe/Berlin"):
        yield


@pytest.mark.every_dialect
@pytest.mark.usefixtures("afternoon")
def test_an_activity_waits_is_there_and_follows_its_last_change(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    assert read_marks(activity) == [("Not in NA", "")]
    world.transfer()
    assert read_marks(activity) == [("In NA since 14:10", "success")]
    edit(activity, "Two")
    assert read_marks(activity) == [("In NA since 14:10, without its last change", "warning")]


@pytest.mark.every_dialect
@pytest.mark.usefixtures("afternoon")
def test_what_was_refused_deleted_or_received_says_so(world: World) -> None:
    stranger = ActivityFactory.create(person=PersonFactory.create())
    person = PersonFactory.create()
    accounts = world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.add_calls(accounts)
    world.transfer()
    assert read_marks(stranger) == [("Not in NA: the transfer failed", "warning")]
    call = person.activities.exclude(pk=activity.pk).get()
    assert read_marks(call) == [("Received from NA at 14:10", "success")]
    (row,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", row["Id"])
    edit(activity, "Two")
    world.transfer()
    assert read_marks(activity) == [("Deleted in NA", "warning")]


@pytest.mark.every_dialect
@pytest.mark.usefixtures("afternoon")
def test_the_head_of_a_records_page_begins_with_the_words_of_the_timeline(world: World) -> None:
    person, stranger = PersonFactory.create_batch(2)
    accounts = world.add_accounts([person])
    activity, failing = (ActivityFactory.create(person=each) for each in (person, stranger))
    world.add_calls(accounts)
    begun = []

    def compare(record: Any) -> None:
        [(text, _)] = read_marks(record)
        assert read_head(record).startswith(text)
        begun.append(text)

    compare(activity)
    world.transfer()
    compare(activity)
    compare(failing)
    compare(person.activities.exclude(pk=activity.pk).get())
    edit(activity, "Two")
    compare(activity)
    (row,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", row["Id"])
    world.transfer()
    compare(activity)
    assert begun == [
        "Not in NA",
        "In NA since 14:10",
        "Not in NA: the transfer failed",
        "Received from NA at 14:10",
        "In NA since 14:10, without its last change",
        "Deleted in NA",
    ]


@pytest.mark.every_dialect
def test_the_lines_of_many_take_as_many_statements_as_those_of_one(world: World) -> None:
    activities = ActivityFactory.create_batch(5)
    access = open_object(user=UserFactory.create(is_superuser=True), object_name="person__sys")
    for chosen in (activities[:1], activities):
        with CaptureQueriesContext(connection) as queries:
            mark_records(access, chosen)
        assert len(queries) == 4


@pytest.mark.every_dialect
def test_the_page_of_a_study_person_shows_the_line(world: World, client: Client) -> None:
    study_person = StudyPersonFactory.create()
    world.add_accounts([study_person.person])
    ActivityFactory.create(person=study_person.person)
    world.transfer()
    client.force_login(UserFactory.create(is_superuser=True))
    page = client.get(f"/records/study_person__clin/{study_person.uid}/").content.decode()
    assert "In NA since" in page
