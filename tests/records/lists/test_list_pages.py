"""What a list shows."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.clinical.models import Person
from ctms.configuration.registry import list_record_objects
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.core.models import allow_record_writes
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.record_rows import create_record
from tests.records.lists.list_page_steps import ACTIVITIES, TRAININGS, log_in_with, open_page
from tests.records.trainings import add_custom_fields, create_trainings

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


# -- What is shown ------------------------------------------------------------------------------------------------


def test_a_list_shows_its_columns_with_links_chips_and_texts(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    activity = ActivityFactory.create(
        site=site, date=dt.date(2026, 3, 2), channel=Channel.PHONE, complete=True, subject="<b>About & more</b>"
    )
    page = open_page(client, ACTIVITIES)
    assert page.heading == ["Subject", "Date", "Person", "Channel", "Complete", "Study", "Site", "Owner", "Name"]
    assert page.body == [
        [
            "<b>About & more</b>",
            "2 Mar 2026",
            activity.person.name,
            "Phone",
            "Complete",
            site.study.name,
            f"{site.name} · {site.city or site.site_name}",
            "Ada Admin",
            activity.name,
        ]
    ]
    assert "<b>About" not in page.content
    assert page.links["<b>About & more</b>"] == f"{ACTIVITIES}{activity.uid}/"
    assert page.links[site.study.name] == f"/records/study__v/{site.study.uid}/"
    assert page.find('<span class="count" data-list-count>(.*?)</span>') == ["1"]


def test_what_the_user_may_not_read_is_not_named(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read", "crm_activity__v:edit", "person__sys.investigator__v:read")
    activity = ActivityFactory.create(person=PersonFactory.create(last_name="Secret", email="secret@x.example"))
    page = open_page(client, ACTIVITIES)
    assert page.body[0][2] == "(not visible to you)"
    for address in (ACTIVITIES, *(f"{ACTIVITIES}{activity.uid}/{rest}" for rest in ("", "edit/", "fields/person__v/"))):
        response = client.get(address)
        assert (response.status_code, "ecret" in response.content.decode()) == (200, False), address
    exported = b"".join(client.get(f"{ACTIVITIES}export.csv?columns=person__v"))
    assert ("(not visible to you)" in exported.decode(), "Secret" in exported.decode()) == (True, False)


def test_what_the_user_may_not_read_is_not_told_by_the_order_either(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read")
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?sort=person__v")
    assert "Sort by one of" in page.content
    assert "sort=person__v" not in open_page(client, ACTIVITIES).content


def test_medical_activities_stand_beside_clinical_ones_and_say_where_they_come_from(client: Client, user: User) -> None:
    clinical = ActivityFactory.create(date=dt.date(2026, 3, 1))
    medical = MedicalActivityFactory.create(date=dt.date(2026, 3, 2))
    page = open_page(client, ACTIVITIES)
    assert page.names == [f"{medical.subject} From the Medical CRM", clinical.subject]
    assert page.find('<span class="origin" title="(.*?)">') == ["From the Medical CRM"]


def test_records_of_an_inactive_object_type_stay_visible(client: Client, user: User) -> None:
    activity = ActivityFactory.create()
    set_object_type_status(
        object_name=Activity.object_name,
        object_type=ActivityType.CLINICAL,
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )
    page = open_page(client, ACTIVITIES)
    assert page.names == [activity.subject]
    assert "Create activity" not in page.links


def test_only_permitted_types_and_visible_studies_are_listed(client: Client) -> None:
    user = log_in_with(client, f"crm_activity__v.{ActivityType.CLINICAL}:read", sees_all_studies=False)
    seen, hidden = StudyFactory.create(), StudyFactory.create()
    StudyAssignmentFactory.create(user=user, study=seen)
    mine, of_none = ActivityFactory.create(study=seen), ActivityFactory.create(actor=Actor(user=user, source="page"))
    ActivityFactory.create(study=hidden)
    ActivityFactory.create()
    MedicalActivityFactory.create()
    assert sorted(open_page(client, ACTIVITIES).names) == sorted([mine.subject, of_none.subject])


@pytest.mark.parametrize("object_name", [each.api_name for each in list_record_objects()])
def test_every_object_has_a_list(client: Client, user: User, object_name: str) -> None:
    record = create_record(object_name)
    page = open_page(client, f"/records/{object_name}/")
    assert f"/records/{object_name}/{record.uid}/" in page.links.values()


def test_an_object_of_the_admin_console_has_no_list(client: Client, user: User) -> None:
    assert client.get("/records/connection__sys/").status_code == 404
    assert client.get("/records/nothing__v/").status_code == 404


def test_without_permission_the_list_is_refused(client: Client) -> None:
    log_in_with(client, "study__v:read")
    assert client.get(ACTIVITIES).status_code == 403


def test_visitors_are_led_to_the_log_in_page(client: Client) -> None:
    assert client.get(ACTIVITIES).headers["Location"] == f"/login/?next={ACTIVITIES}"


@pytest.mark.usefixtures("stopped_clock")
def test_a_list_takes_as_many_statements_for_fifty_rows_as_for_one(client: Client, user: User) -> None:
    add_custom_fields()
    create_trainings()
    columns = "columns=name__v,trainee__v,created_by__v,modified_by__v,person__c,status__v,uid__sys,remarks__v"

    def count(query: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"{TRAININGS}?{columns}&{query}").status_code == 200
        return len(queries)

    count("size=1")
    one = count("name__v=e")
    for _ in range(7):
        create_trainings()
    assert count("size=200") == one
    assert count("size=1") == one


# -- What is empty ------------------------------------------------------------------------------------------------


def test_an_empty_list_says_what_its_records_are_and_offers_to_create_one(client: Client, user: User) -> None:
    page = open_page(client, ACTIVITIES)
    assert page.find("<h2>(.*?)</h2>") == ["No activities yet"]
    assert "An activity is a contact with a person of a study" in page.content
    assert page.links["Create activity"] == f"{ACTIVITIES}create/"


def test_who_cannot_create_is_not_offered_it(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read")
    page = open_page(client, ACTIVITIES)
    assert page.find("<h2>(.*?)</h2>") == ["No activities yet"]
    labels = [label for label in page.links if label.startswith(("Create ", "Import "))]
    assert labels == []


def test_filters_that_leave_nothing_are_said_to(client: Client, user: User) -> None:
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?q=nothing&sort=name__v")
    assert page.find("<h2>(.*?)</h2>") == ["No activity matches"]
    assert page.links["Clear filters"] == f"{ACTIVITIES}?sort=name__v"


def test_a_page_whose_records_have_gone_leads_to_the_first(client: Client, user: User) -> None:
    create_people(30)
    page = open_page(client, "/records/person__sys/?size=25")
    with_cursor = page.links["Next page"].replace("&amp;", "&")
    with allow_record_writes():
        Person.objects.filter(external_id__gte="BULK-000020").delete()
    page = open_page(client, with_cursor)
    assert page.find("<h2>(.*?)</h2>") == ["Nothing is left here"]
    assert page.links["Go to the first page"] == "/records/person__sys/?size=25"
