"""The home page tells what is due this week, overdue first, and what the user did last."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.home import OVERDUE_SHOWN, build_my_week
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, save_record
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

READ = ["crm_activity__v:read"]


@pytest.fixture(autouse=True)
def _wednesday() -> Iterator[None]:
    with travel("2026-03-04T10:00:00Z", tick=False):
        yield


@pytest.fixture
def user() -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=READ))


def log_activity(user: User, day: int, **values: Any) -> None:
    """One of the user's own, in March 2026."""
    actor = Actor(user=user, source="page")
    ActivityFactory.create(date=dt.date(2026, 3, day), subject=str(day), actor=actor, **values)


def list_shown(user: User) -> list[tuple[str, bool]]:
    return [(row["activity"].subject, row["is_overdue"]) for row in build_my_week(user)["rows"]]


def test_overdue_ones_come_first_then_the_week_in_order(user: User) -> None:
    log_activity(user, 1)  # Sunday before: overdue
    log_activity(user, 2, complete=True)  # Monday
    log_activity(user, 3)  # Tuesday: overdue
    log_activity(user, 4)  # today
    log_activity(user, 8)  # Sunday
    log_activity(user, 9)  # next week
    assert list_shown(user) == [("1", True), ("3", True), ("2", False), ("4", False), ("8", False)]


def test_what_was_completed_before_this_week_is_not_shown(user: User) -> None:
    log_activity(user, 1, complete=True)
    assert list_shown(user) == []


def test_activities_of_the_users_studies_are_the_users_too(user: User) -> None:
    mine, foreign = StudySiteFactory.create_batch(2)
    StudyAssignmentFactory.create(user=user, study=mine.study)
    ActivityFactory.create(site=mine, date=dt.date(2026, 3, 4), subject="mine")
    ActivityFactory.create(site=foreign, date=dt.date(2026, 3, 4), subject="foreign")
    assert list_shown(user) == [("mine", False)]


def test_inactive_ones_are_not_shown(user: User) -> None:
    log_activity(user, 4, status=RecordStatus.INACTIVE)
    assert list_shown(user) == []


def test_who_may_not_read_activities_is_shown_none() -> None:
    user = UserFactory.create()
    log_activity(user, 4)
    assert list_shown(user) == []


def test_today_is_the_users_own(user: User) -> None:
    log_activity(user, 4)
    user.time_zone = "Pacific/Auckland"  # it is Thursday there at noon UTC of Wednesday
    with travel("2026-03-04T12:00:00Z", tick=False):
        assert list_shown(user) == [("4", True)]


def test_many_overdue_ones_leave_room_for_the_week(user: User) -> None:
    for _ in range(OVERDUE_SHOWN + 2):
        log_activity(user, 1)
    log_activity(user, 4)
    shown = list_shown(user)
    assert shown == [("1", True)] * OVERDUE_SHOWN + [("4", False)]
    assert build_my_week(user)["more_overdue"] is True


def test_the_home_page_asks_as_many_queries_for_five_rows_as_for_one(client: Client, user: User) -> None:
    client.force_login(user)
    counts = []
    for number in (1, 4):
        for _ in range(number):
            log_activity(user, 4, site=StudySiteFactory.create())
            StudyAssignmentFactory.create(user=user)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_recent_records_are_the_users_own_latest_first_and_still_there(client: Client, user: User) -> None:
    actor = Actor(user=user, source="page")
    first, second, gone = (StudyFactory.create(name=name, actor=actor) for name in ("A-1", "B-2", "C-3"))
    delete_record(record=gone, actor=actor)
    StudyFactory.create(name="D-4")
    first.sponsor = "Acme"
    save_record(record=first, actor=actor)
    client.force_login(user)
    [_, panel] = client.get("/").context["panels"]
    assert [(record.name, record.action) for record in panel["content"]["records"]] == [
        ("A-1", "Changed"),
        ("B-2", "Created"),
    ]
    assert second.name == "B-2"


def test_links_to_the_console_are_for_those_who_may_open_it(client: Client, user: User) -> None:
    log_activity(user, 4)
    client.force_login(user)
    assert "/admin/" not in client.get("/").content.decode()
    user.is_staff = True
    user.save()
    assert "/admin/activities/activity/" in client.get("/").content.decode()
