"""The record panels of the home page: favourites, and records that the user changed last."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from time_machine import travel

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, save_record
from ctms.core.clock import get_now
from ctms.records.pages.favourites import switch_favourite
from ctms.records.pages.home import describe_age
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], sees_all_studies=True)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


def list_panels(client: Client) -> dict[str, Any]:
    return {panel["title"]: panel["content"] for panel in client.get("/").context["panels"]}


def test_recent_records_are_the_users_own_latest_first_and_still_there(client: Client, user: User) -> None:
    actor = Actor(user=user, source="page")
    first, second, gone = (StudyFactory.create(name=name, actor=actor) for name in ("A-1", "B-2", "C-3"))
    delete_record(record=gone, actor=actor)
    StudyFactory.create(name="D-4")
    PersonFactory.create(actor=actor)  # which the user may not read
    first.sponsor = "Acme"
    save_record(record=first, actor=actor)
    assert [
        (record.link.label, record.link.url, record.action, record.age)
        for record in list_panels(client)["Recent records"]["records"]
    ] == [
        ("A-1 · Study A-1", f"/records/study__v/{first.uid}/", "Changed", "just now"),
        ("B-2 · Study B-2", f"/records/study__v/{second.uid}/", "Created", "just now"),
    ]


def test_favourites_have_a_panel_once_there_are_any(client: Client, user: User) -> None:
    assert "Favourites" not in list_panels(client)
    study = StudyFactory.create(name="A-1")
    switch_favourite(user=user, record=study)
    assert [link.label for link in list_panels(client)["Favourites"]["records"]] == ["A-1 · Study A-1"]


def test_nothing_leads_to_the_console(client: Client, user: User) -> None:
    user.is_staff = True
    user.save()
    study = StudyFactory.create(actor=Actor(user=user, source="page"))
    content = client.get("/").content.decode()
    assert ("/admin/clinical/" in content, f'href="/records/study__v/{study.uid}/"' in content) == (False, True)


@pytest.mark.parametrize(
    ("age", "words"),
    [
        (dt.timedelta(), "just now"),
        (dt.timedelta(seconds=59), "just now"),
        (dt.timedelta(minutes=1), "1\xa0minute ago"),
        (dt.timedelta(hours=3, minutes=40), "3\xa0hours ago"),
        (dt.timedelta(seconds=-5), "just now"),
    ],
)
def test_ages_are_told_in_one_unit(age: dt.timedelta, words: str) -> None:
    with travel("2026-03-04T10:00:00Z", tick=False):
        assert describe_age(get_now() - age) == words
