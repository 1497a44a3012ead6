"""The home page lists activities that are overdue, then those of this week."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from activities.home import OVERDUE_SHOWN, WEEK_SHOWN, build_my_week
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.configuration.snapshot import forget_configuration
from ctms.core.choices import RecordStatus
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

READ = ["crm_activity__v:read"]


@pytest.fixture(autouse=True)
def _wednesday() -> Iterator[None]:
    with travel("2026-03-04T10:00:00Z", tick=False):
        forget_configuration()
        yield
    forget_configuration()


@pytest.fixture
def user() -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=READ))


def log_activity(user: User, day: int, **values: Any) -> None:
    """Create an activity of the user on a day of March 2026."""
    actor = Actor(user=user, source="page")
    ActivityFactory.create(date=dt.date(2026, 3, day), subject=str(day), actor=actor, **values)


def build(user: User) -> dict[str, Any]:
    content = build_my_week(user)
    assert content is not None
    return content


def list_shown(user: User) -> list[tuple[str, bool]]:
    return [(row.activity.subject, row.is_overdue) for row in build(user)["rows"]]


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


def test_what_is_at_the_users_sites_is_the_users_too(user: User) -> None:
    user.security_profile = SecurityProfileFactory.create(permissions=[*READ, "site__v:read"])
    user.save()
    mine = StudySiteFactory.create(owner=user)
    beside = StudySiteFactory.create(study_country=mine.study_country)
    StudyAssignmentFactory.create(user=user, study=mine.study)
    ActivityFactory.create(site=mine, owner=UserFactory.create(), date=dt.date(2026, 3, 4), subject="mine")
    ActivityFactory.create(site=beside, date=dt.date(2026, 3, 4), subject="beside")
    assert list_shown(user) == [("mine", False)]
    assert (build(user)["is_of_studies"], build(user)["sites_to_take"]) == (False, "")


def test_who_owns_nothing_sees_the_assigned_studies_and_how_to_take_sites_over(client: Client, user: User) -> None:
    user.security_profile = SecurityProfileFactory.create(permissions=[*READ, "site__v:read", "study__v:read"])
    user.save()
    assigned, foreign = StudySiteFactory.create_batch(2)
    StudyAssignmentFactory.create(user=user, study=assigned.study)
    for number in range(WEEK_SHOWN + 1):
        ActivityFactory.create(site=assigned, date=dt.date(2026, 3, 4), subject=str(number))
    ActivityFactory.create(site=foreign, date=dt.date(2026, 3, 4), subject="foreign")
    client.force_login(user)
    page = client.get("/")
    [panel, _] = page.context["panels"]
    assert (panel["title"], len(panel["content"]["rows"])) == (
        "Activities of my assigned studies: overdue and of this week",
        WEEK_SHOWN,
    )
    assert "You own no activity yet." in page.content.decode()
    assert "Ask a study manager to name you as the owner of yours" in page.content.decode()
    opened = client.get(panel["content"]["more_of_week"].url)
    assert f">{WEEK_SHOWN + 1}<" in opened.content.decode()
    assert assigned.name in client.get(panel["content"]["sites_to_take"]).content.decode()
    log_activity(user, 4)
    assert list_shown(user) == [("4", False)]


def test_inactive_ones_are_not_shown(user: User) -> None:
    log_activity(user, 4, status=RecordStatus.INACTIVE)
    assert list_shown(user) == []


def test_who_may_not_read_activities_has_no_such_panel(client: Client) -> None:
    user = UserFactory.create()
    log_activity(user, 4)
    assert build_my_week(user) is None
    client.force_login(user)
    assert [panel["title"] for panel in client.get("/").context["panels"]] == ["Recent records"]


def test_today_is_the_users_own(user: User) -> None:
    log_activity(user, 4)
    user.time_zone = "Pacific/Auckland"  # it is Thursday there at noon UTC of Wednesday
    with travel("2026-03-04T12:00:00Z", tick=False):
        assert list_shown(user) == [("4", True)]


def test_many_overdue_ones_leave_room_for_the_week_and_the_rest_is_a_link_away(client: Client, user: User) -> None:
    for _ in range(OVERDUE_SHOWN + 2):
        log_activity(user, 1)
    for _ in range(WEEK_SHOWN + 1):
        log_activity(user, 4)
    other = StudySiteFactory.create()
    StudyAssignmentFactory.create(user=user, study=other.study)
    ActivityFactory.create_batch(3, site=other, date=dt.date(2026, 3, 3))  # of somebody else: in neither list
    content = build(user)
    assert list_shown(user) == [("1", True)] * OVERDUE_SHOWN + [("4", False)] * WEEK_SHOWN
    assert (content["more_overdue"].count, content["more_of_week"].count) == ("2", "1")
    client.force_login(user)
    page = client.get("/")
    assert ("and 2 more</a>" in page.content.decode(), "and 1 more</a>" in page.content.decode()) == (True, True)
    for more, number in (("more_overdue", OVERDUE_SHOWN + 2), ("more_of_week", WEEK_SHOWN + 1)):
        found = client.get(content[more].url)
        assert (found.status_code, f">{number}<" in found.content.decode()) == (200, True)


def test_nothing_more_is_offered_where_all_is_shown(user: User) -> None:
    log_activity(user, 1)
    log_activity(user, 4)
    assert (build(user)["more_overdue"], build(user)["more_of_week"]) == (None, None)


def test_the_home_page_asks_as_many_queries_for_five_rows_as_for_one(client: Client, user: User) -> None:
    client.force_login(user)
    client.get("/")  # the first request also reads the configuration
    counts = []
    for number in (1, 4):
        for _ in range(number):
            log_activity(user, 4, site=StudySiteFactory.create())
            StudyAssignmentFactory.create(user=user)
        with CaptureQueriesContext(connection) as queries:
            assert client.get("/").status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_rows_lead_to_the_records_page_and_to_what_the_user_may_read(client: Client, user: User) -> None:
    user.security_profile = SecurityProfileFactory.create(permissions=[*READ, "person__sys:read"])
    user.save()
    log_activity(user, 4)
    [row] = build(user)["rows"]
    assert (row.url, row.values["person__v"].url) == (
        f"/records/crm_activity__v/{row.activity.uid}/",
        f"/records/person__sys/{row.activity.person.uid}/",
    )
    client.force_login(user)
    content = client.get("/").content.decode()
    assert (f'href="{row.url}"' in content, "/admin/" in content) == (True, False)
