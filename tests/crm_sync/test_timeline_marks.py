"""Each entry of a timeline says in one line how it went to the CRM."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import formats, timezone

from crm_sync.timeline_marks import mark_records
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


@pytest.mark.every_dialect
def test_an_activity_waits_is_there_and_follows_its_last_change(world: World) -> None:
    person = PersonFactory.create()
    world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    assert read_marks(activity) == [("Not in NA", "")]
    world.transfer()
    today = formats.date_format(timezone.localdate())
    assert read_marks(activity) == [(f"In NA since {today}", "success")]
    activity.subject = "Two"
    save_record(record=activity, actor=build_admin_actor())
    assert read_marks(activity) == [("In NA, the last change follows", "warning")]


@pytest.mark.every_dialect
def test_what_was_refused_deleted_or_received_says_so(world: World) -> None:
    stranger = ActivityFactory.create(person=PersonFactory.create())
    person = PersonFactory.create()
    accounts = world.add_accounts([person])
    activity = ActivityFactory.create(person=person)
    world.add_calls(accounts)
    world.transfer()
    today = formats.date_format(timezone.localdate())
    assert read_marks(stranger) == [("Not in NA: it failed", "warning")]
    call = person.activities.exclude(pk=activity.pk).get()
    assert read_marks(call) == [(f"Received from NA on {today}", "success")]
    (row,) = world.list_interactions()
    world.delete_in_crm("Vault_Clinical_Interaction_vod__c", row["Id"])
    activity.refresh_from_db()
    activity.subject = "Two"
    save_record(record=activity, actor=build_admin_actor())
    world.transfer()
    assert read_marks(activity) == [("Deleted in NA", "warning")]


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
