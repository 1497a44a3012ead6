"""Home tells what happened since the end of the user's session before this one, of what the user sees."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from ctms.accounts.models import User
from ctms.audit.actors import Actor, build_system_actor
from ctms.audit.services import save_record
from ctms.clinical.models import StudySite
from tests.activities.home.people import READ, create_user
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def cra() -> User:
    return create_user([*READ, "exception_item__sys:read"])


@pytest.fixture
def site(cra: User) -> StudySite:
    with travel("2026-01-05T10:00:00Z", tick=False):
        site = StudySiteFactory.create(owner=cra, name="0142", site_name="Charité")
        StudyAssignmentFactory.create(user=cra, study=site.study)
    return site


def change(site: StudySite, city: str, user: User, source: str = "page") -> None:
    site.city = city
    save_record(record=site, actor=Actor(user=user, source=source))


def log_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def read(client: Client) -> dict[str, Any]:
    [news] = [each["content"] for each in client.get("/").context["panels"] if each["key"] == "news"]
    return dict(news)


def test_since_is_the_end_of_the_session_before_and_stays_for_this_one(cra: User, site: StudySite) -> None:
    colleague = UserFactory.create(first_name="Colin", last_name="Cole")
    with travel("2026-03-02T08:00:00Z", tick=False):
        monday = log_in(cra)
        monday.get("/")
    with travel("2026-03-02T08:10:00Z", tick=False):
        change(site, "Before", colleague)
        monday.get("/records/site__v/")  # the last use of Monday
        monday.post("/logout/")
    with travel("2026-03-02T08:20:00Z", tick=False):
        change(site, "After", colleague)
        change(site, "Later", colleague)
    wednesday = log_in(cra)
    for _ in range(2):
        news = read(wednesday)
        assert news["since"] == dt.datetime(2026, 3, 2, 8, 10, tzinfo=dt.UTC)
        [happening] = news["changes"]
        assert (happening.link.label, happening.what, happening.more) == ("0142 · Charité", "changed by Colin Cole", 1)
    with travel("2026-03-04T10:20:00Z", tick=False):
        wednesday.get("/")
        second = log_in(cra)  # beside the first, on a phone
        assert read(second)["since"] == dt.datetime(2026, 3, 4, 10, 20, tzinfo=dt.UTC)
        assert read(wednesday)["since"] == dt.datetime(2026, 3, 2, 8, 10, tzinfo=dt.UTC)


def test_who_is_here_for_the_first_time_is_told_of_seven_days(cra: User, site: StudySite) -> None:
    with travel("2026-02-26T10:00:00Z", tick=False):
        change(site, "Berlin", UserFactory.create())
    page = log_in(cra).get("/")
    [panel] = [each for each in page.context["panels"] if each["key"] == "news"]
    assert (panel["title"], panel["content"]["since"], len(panel["content"]["changes"])) == (
        "In the last seven days",
        None,
        1,
    )


def test_neither_ones_own_changes_nor_those_of_jobs_are_news(cra: User, site: StudySite) -> None:
    change(site, "Own", cra)
    site.city = "Job"
    save_record(record=site, actor=build_system_actor(source="job", reference="1"))
    assert read(log_in(cra))["changes"] == []


def test_what_is_hidden_is_no_news(cra: User, site: StudySite) -> None:
    colleague = UserFactory.create()
    other = StudySiteFactory.create()
    change(other, "Hidden study", colleague)
    person = PersonFactory.create(actor=Actor(user=colleague, source="page"))
    client = log_in(cra)
    assert read(client)["changes"] == []
    ActivityFactory.create(site=site, person=person, actor=Actor(user=colleague, source="page"), subject="Call")
    assert [each.link.label.split(" · ")[0] for each in read(client)["changes"]] == ["Call", person.name]


def test_calls_and_failures_are_news_until_one_was_here(cra: User, site: StudySite) -> None:
    message = create_exception_message()
    call = MedicalActivityFactory.create(site=site, subject="Received", connection=message.connection)
    MedicalActivityFactory.create(site=StudySiteFactory.create(), subject="Hidden", connection=message.connection)
    activity = ActivityFactory.create(site=site, subject="Failed", actor=Actor(user=cra, source="page"))
    create_exception_item(
        message=message, key=str(activity.uid), record_object=activity.object_name, record_uid=activity.uid
    )
    news = read(log_in(cra))
    assert [each.link.url for each in news["calls"]] == [f"/records/crm_activity__v/{call.uid}/"]
    assert [(each.link.label.split(" · ")[0], each.what) for each in news["failures"]] == [
        ("Failed", "No account has this identifier.")
    ]
    with travel("2026-03-05T10:00:00Z", tick=False):
        log_in(cra)
        assert read(log_in(cra))["calls"] == read(log_in(cra))["failures"] == []


def test_it_takes_as_many_statements_for_many_as_for_one(cra: User, site: StudySite) -> None:
    client, colleague = log_in(cra), UserFactory.create()
    client.get("/")
    counts = []
    for number in (1, 4):
        for _ in range(number):
            change(StudySiteFactory.create(study_country=site.study_country), "Bonn", colleague)
        with CaptureQueriesContext(connection) as queries:
            client.get("/")
        counts.append(len(queries))
    assert counts[0] == counts[1]
