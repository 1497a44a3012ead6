"""A list that is sorted by its day opens on today, with a line between what is past and what is to come."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import ActivityType, Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import create_records
from ctms.audit.users import save_user
from ctms.clinical.models import Person
from ctms.records.access import open_object
from ctms.records.lists.order.keyset_pagination import Sort, cut_page_around
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import MonitoringEventFactory, PersonFactory, StudySiteFactory
from tests.records.lists.list_page_steps import ACTIVITIES, TRAININGS, Page, open_page
from tests.records.trainings import create_trainings, open_trainings
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

TODAY = dt.date(2026, 5, 15)
NOON = dt.datetime(2026, 5, 15, 12, 30, tzinfo=dt.UTC)
EVENTS = "/records/monitoring_event__ctms/"
LINE = "Today 15 May 2026"


@pytest.fixture(autouse=True)
def _stopped_clock() -> Iterator[None]:
    with time_machine.travel(NOON, tick=False):
        yield


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def create_days(*steps: int) -> None:
    """Create an activity on each of the days, counted from today."""
    actor = build_admin_actor()
    person = PersonFactory.create()
    activities = [
        Activity(
            object_type=ActivityType.CLINICAL,
            person=person,
            date=TODAY + dt.timedelta(days=step),
            channel=Channel.PHONE,
            subject=f"{step:+d}",
            from_text=actor.user.display_contact,
        )
        for step in steps
    ]
    create_records(records=activities, actor=actor)


def list_shown(page: Page) -> list[str]:
    """Return what leads each row, and `|` for the line of today."""
    return ["|" if row[0].startswith("Today") else row[0] for row in page.body]


def count_statements(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert client.get(address).status_code == 200
    return len(queries)


def test_today_stands_between_what_is_past_and_what_is_to_come(client: Client, user: User) -> None:
    create_days(-2, -1, 0, 1, 2)
    page = open_page(client, ACTIVITIES)
    assert list_shown(page) == ["+2", "+1", "|", "+0", "-1", "-2"]
    assert page.body[2] == [f"{LINE}to come above, past below"]
    assert list_shown(open_page(client, f"{ACTIVITIES}?sort=date__v")) == ["-2", "-1", "|", "+0", "+1", "+2"]
    assert "|" not in list_shown(open_page(client, f"{ACTIVITIES}?sort=subject__v"))


def test_a_long_list_opens_a_few_rows_before_today_and_leads_on_in_both_directions(client: Client, user: User) -> None:
    create_days(*range(-40, 41))
    page = open_page(client, f"{ACTIVITIES}?size=25")
    assert list_shown(page) == ["+5", "+4", "+3", "+2", "+1", "|", "+0", *(f"-{day}" for day in range(1, 20))]
    seen: list[str] = []
    shown = page
    while "Previous page" in shown.links:
        shown = open_page(client, shown.links["Previous page"])
        seen = list_shown(shown) + seen
    assert seen == [f"+{day}" for day in range(40, 5, -1)]
    assert "First page" not in shown.links
    seen, shown = [], page
    while "Next page" in shown.links:
        shown = open_page(client, shown.links["Next page"])
        seen += list_shown(shown)
    assert seen == [f"-{day}" for day in range(20, 41)]


def test_the_first_page_has_an_address_and_today_a_link_back(client: Client, user: User) -> None:
    create_days(*range(-40, 41))
    page = open_page(client, f"{ACTIVITIES}?size=25")
    assert page.links["First page"] == f"{ACTIVITIES}?size=25&cursor=first"
    assert "Today" not in page.links
    first = open_page(client, page.links["First page"])
    assert list_shown(first) == [f"+{day}" for day in range(40, 15, -1)]
    assert first.find('<span class="tabular muted">(.*?)</span>') == ["1–25 of 81"]
    assert (first.links["Today"], "First page" in first.links) == (f"{ACTIVITIES}?size=25", False)
    assert list_shown(open_page(client, first.links["Today"])) == list_shown(page)


def test_upwards_the_past_stands_above(client: Client, user: User) -> None:
    create_days(*range(-40, 41))
    shown = list_shown(open_page(client, f"{ACTIVITIES}?size=25&sort=date__v"))
    assert shown == ["-5", "-4", "-3", "-2", "-1", "|", *(f"+{day}" for day in range(20))]


@pytest.mark.parametrize(
    ("sort", "steps", "expected"),
    [
        ("-date__v", range(-60, 0), ("-1", "-25", "Next page", "Last page")),
        ("-date__v", range(1, 61), ("+25", "+1", "First page", "Previous page")),
        ("date__v", range(-60, 0), ("-25", "-1", "First page", "Previous page")),
        ("date__v", range(1, 61), ("+1", "+25", "Next page", "Last page")),
    ],
)
def test_where_all_is_past_or_to_come_the_list_opens_at_the_end_that_is_nearer(
    client: Client, user: User, sort: str, steps: range, expected: tuple[str, ...]
) -> None:
    create_days(*steps)
    page = open_page(client, f"{ACTIVITIES}?size=25&sort={sort}")
    shown = list_shown(page)
    assert (shown[0], shown[-1], *(name for name in page.links if name.endswith(" page"))) == expected
    assert (len(shown), "Today" in page.links) == (25, False)


def test_near_the_end_the_page_is_full(client: Client, user: User) -> None:
    create_days(*range(-3, 41))
    shown = list_shown(open_page(client, f"{ACTIVITIES}?size=25"))
    assert (shown[0], shown[-6:], len(shown)) == ("+21", ["+1", "|", "+0", "-1", "-2", "-3"], 26)


def test_a_line_that_falls_between_two_pages_stands_on_the_second_whichever_way_it_is_reached(
    client: Client, user: User
) -> None:
    create_days(*range(-30, 26))
    first = open_page(client, f"{ACTIVITIES}?size=25&cursor=first")
    assert list_shown(first) == [f"+{day}" for day in range(25, 0, -1)]
    second = open_page(client, first.links["Next page"])
    assert list_shown(second)[:2] == ["|", "+0"]
    again = open_page(client, open_page(client, second.links["Next page"]).links["Previous page"])
    assert list_shown(again) == list_shown(second)


def test_rows_without_a_day_stand_last_and_are_not_to_come(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    days = (TODAY - dt.timedelta(days=1), TODAY + dt.timedelta(days=1), None)
    past, coming, undated = (
        MonitoringEventFactory.create(site=site, planned_start=day, planned_end=None).name for day in days
    )
    assert list_shown(open_page(client, EVENTS)) == [coming, "|", past, undated]
    assert list_shown(open_page(client, f"{EVENTS}?sort=planned_start_date__v")) == [past, "|", coming, undated]


def test_undated_rows_of_a_long_list_follow(client: Client, user: User) -> None:
    create_trainings()
    trainee = Person.objects.earliest("pk")
    days = [TODAY + dt.timedelta(days=number) for number in range(1, 30)]
    create_records(
        records=[Training(name=f"T{number}", trainee=trainee, date=day) for number, day in enumerate(days, 1)],
        actor=build_admin_actor(),
    )
    access = open_trainings()
    for name, expected in (("-date__v", ["T3", "T2", "T1", "a", "b", "a", "e"]), ("date__v", ["a", "b", "a", "T1"])):
        sort = Sort(field=access.shape.fields["date__v"], descending=name.startswith("-"))
        boundary = TODAY + dt.timedelta(days=1)
        page = cut_page_around(records=access.list_records(), sort=sort, size=8, boundary=boundary, lead=3)
        assert [row.name for row in page.rows][: len(expected)] == expected
    only_undated = access.list_records().filter(date__isnull=True)
    page = cut_page_around(records=only_undated, sort=sort, size=1, boundary=TODAY, lead=3)
    assert (len(page.rows), page.is_first, page.is_last) == (1, True, False)


def test_today_is_that_of_the_user(client: Client, user: User) -> None:
    create_days(0, 1)
    user.time_zone = "Pacific/Auckland"  # where it is the 16th already
    save_user(user=user, actor=build_admin_actor(), fields=["time_zone"])
    page = open_page(client, ACTIVITIES)
    assert (list_shown(page), "|" in list_shown(page)) == (["+1", "+0"], False)
    create_days(2)
    assert list_shown(open_page(client, ACTIVITIES)) == ["+2", "|", "+1", "+0"]


def test_however_many_rows_there_are_the_page_takes_as_many_statements(client: Client, user: User) -> None:
    create_days(1, -1)
    count_statements(client, ACTIVITIES)
    few = count_statements(client, ACTIVITIES)
    create_days(*range(-100, 100), *range(-100, 100))
    assert count_statements(client, ACTIVITIES) == few


def test_both_statements_begin_at_today_in_the_index_of_the_order() -> None:
    field = open_object(user=get_admin_user(), object_name="crm_activity__v").shape.get_field("date__v")
    for descending in (True, False):
        sort = Sort(field=field, descending=descending)
        with CaptureQueriesContext(connection) as queries:
            cut_page_around(records=Activity.objects.all(), sort=sort, size=50, boundary=TODAY, lead=5)
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SET LOCAL enable_seqscan = off")
                cursor.execute("SET LOCAL enable_bitmapscan = off")
                cursor.execute("SET LOCAL enable_sort = off")
            for query in queries.captured_queries[:2]:
                explain = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
                cursor.execute(f"{explain} {query['sql']}")
                plan = "\n".join(str(row) for row in cursor.fetchall())
                assert "activity_by_date_and_sight" in plan, plan
                assert "Sort" not in plan, plan
                assert "B-TREE" not in plan, plan


def test_a_list_in_another_order_opens_at_its_beginning(client: Client, user: User) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?sort=-date__v")
    assert len(page.body) == Training.objects.count()
    assert not re.search("today-line", page.content)
