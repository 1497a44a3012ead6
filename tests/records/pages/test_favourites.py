"""Favourites and recent records: each user has their own, and only those that they still see."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from ctms.accounts.models import User
from ctms.audit.services import delete_record, save_record
from ctms.records.fields.record_links import find_links
from ctms.records.models import Favourite, RecentView
from ctms.records.pages.favourites import (
    MOST_KEPT,
    is_favourite,
    list_favourites,
    list_recent,
    note_view,
    switch_favourite,
)
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

START = dt.datetime(2026, 3, 4, 10, tzinfo=dt.UTC)


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def get_address(record: Any, *steps: str) -> str:
    return "/".join([f"/records/{record.object_name}/{record.uid}", *steps, ""])


# -- Stars ----------------------------------------------------------------------------------------
def test_a_star_is_set_and_taken_back(client: Client, user: User) -> None:
    study = StudyFactory.create()
    for expected in (True, False):
        response = client.post(get_address(study, "favourite"))
        assert (response.status_code, response.headers["Location"]) == (302, get_address(study))
        assert is_favourite(user=user, record=study) is expected


def test_the_star_alone_comes_back_to_a_page_that_is_there(client: Client, user: User) -> None:
    study = StudyFactory.create()
    content = client.post(get_address(study, "favourite"), headers={"HX-Request": "true"}).content.decode()
    assert ("<html" in content, 'aria-pressed="true"' in content) == (False, True)
    assert 'aria-pressed="true"' in client.get(get_address(study)).content.decode()


def test_a_star_is_the_users_own_and_leaves_no_trace_in_the_record(user: User) -> None:
    study = StudyFactory.create()
    switch_favourite(user=user, record=study)
    study.refresh_from_db()
    assert (is_favourite(user=UserFactory.create(), record=study), study.version) == (False, 1)


def test_a_link_does_not_set_a_star(client: Client, user: User) -> None:
    assert client.get(get_address(StudyFactory.create(), "favourite")).status_code == 405


def test_a_star_is_for_what_the_user_sees(client: Client) -> None:
    client.force_login(
        UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["study__v:read"]))
    )
    assert client.post(get_address(StudyFactory.create(), "favourite")).status_code == 404
    assert Favourite.objects.count() == 0


# -- Opened last ----------------------------------------------------------------------------------
def test_opening_a_record_is_noted_and_the_menu_shows_what_else_was_opened(client: Client, user: User) -> None:
    first, second = StudyFactory.create(name="A-1"), PersonFactory.create(first_name="Petra", last_name="Post")
    for number, record in enumerate((first, second, first)):
        with travel(START + dt.timedelta(minutes=number), tick=False):
            client.force_login(user)
            response = client.get(get_address(record))
    assert [(link.label, link.object_label) for link in response.context["frame"].recent] == [("Petra Post", "Person")]
    links = list_recent(user=user, limit=8)
    assert [(link.label, link.url) for link in links] == [
        ("A-1 · Study A-1", get_address(first)),
        ("Petra Post", get_address(second)),
    ]


def test_of_each_user_the_latest_are_kept() -> None:
    user, other = UserFactory.create_batch(2)
    studies = StudyFactory.create_batch(MOST_KEPT + 3)
    note_view(user=other, record=studies[0])
    for number, study in enumerate(studies):
        with travel(START + dt.timedelta(minutes=number), tick=False):
            note_view(user=user, record=study)
    assert list(RecentView.objects.filter(user=user).values_list("record_uid", flat=True)) == [
        study.uid for study in reversed(studies[3:])
    ]
    assert RecentView.objects.filter(user=other).count() == 1


def test_noting_a_view_takes_two_statements(user: User) -> None:
    study = StudyFactory.create()
    for _ in range(2):
        with CaptureQueriesContext(connection) as queries:
            note_view(user=user, record=study)
        assert len([query for query in queries if "records_recentview" in query["sql"]]) == 2


# -- Links ----------------------------------------------------------------------------------------
def test_links_of_several_objects_take_one_statement_beside_the_configuration(user: User) -> None:
    records = study, person, site = StudyFactory.create(), PersonFactory.create(), StudySiteFactory.create()
    labels = [f"{study.name} · {study.study_name}", person.name, f"{site.name} · {site.site_name}"]
    with CaptureQueriesContext(connection) as queries:
        links = find_links(user=user, references=[(each.object_name, each.uid) for each in records])
    assert ({uid: link.label for uid, link in links.items()}, len(queries)) == (
        {each.uid: label for each, label in zip(records, labels, strict=True)},
        2,
    )


def test_what_is_deleted_hidden_or_no_object_any_more_has_no_link() -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read", "site__v:read"])
    user = UserFactory.create(security_profile=profile)
    mine = StudyAssignmentFactory.create(user=user).study
    gone, foreign, unreadable = StudyFactory.create(), StudyFactory.create(), PersonFactory.create()
    for record in (gone, foreign, unreadable, mine):
        switch_favourite(user=user, record=record)
    Favourite.objects.create(user=user, of_object="no_such_object__v", record_uid=uuid.uuid4())
    delete_record(record=gone, actor=build_admin_actor())
    assert [link.label for link in list_favourites(user=user, limit=8)] == [f"{mine.name} · {mine.study_name}"]


def test_a_link_has_the_name_of_today(user: User) -> None:
    study = StudyFactory.create(name="OLD", study_name="")
    switch_favourite(user=user, record=study)
    study.name = "NEW"
    save_record(record=study, actor=build_admin_actor())
    assert [link.label for link in list_favourites(user=user, limit=8)] == ["NEW"]


def test_nothing_marked_takes_no_statement_for_names(user: User) -> None:
    with CaptureQueriesContext(connection) as queries:
        assert list_favourites(user=user, limit=8) == []
    assert len(queries) == 1


def test_a_number_is_shown_with_what_people_know_the_record_by(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité Berlin")
    activity = ActivityFactory.create(name="ACT-7", subject="Screening log", created_by=user)
    for record in (site, activity):
        client.get(f"/records/{record.object_name}/{record.uid}/")
    assert [link.label for link in list_recent(user=user, limit=8)] == [
        f"Screening log · {activity.name}",
        "0142 · Charité Berlin",
    ]
