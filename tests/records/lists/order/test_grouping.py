"""Lists that are grouped by a column: headings with counts, in the whole filtered list, over pages."""

from __future__ import annotations

import datetime as dt
import re

import pytest
import time_machine
from django.http import QueryDict
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.services import create_records
from ctms.audit.users import save_user
from ctms.clinical.models import Person
from ctms.records.access import ObjectAccess
from ctms.records.lists.order.grouping import find_grouping, list_groupings
from ctms.records.lists.order.keyset_pagination import Page as KeysetPage
from ctms.records.lists.order.keyset_pagination import Sort, cut_page, order_records
from ctms.records.lists.query import read_list
from tests.admin_forms import read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudySiteFactory
from tests.records.lists.list_page_steps import ACTIVITIES, TRAININGS, Page, log_in_with, open_page
from tests.records.lists.rows.test_today import count_statements
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

GROUPINGS = [
    "method__v",
    "passed__v",
    "trainee__v",
    "date__v",
    "date__v__month",
    "status__v",
    "created_by__v",
    "created_date__v",
    "created_date__v__month",
    "picklist__c",
    "yes_no__c",
    "date__c",
    "date__c__month",
]
SORTS = ["", "name__v", "-name__v", "-date__v", "date__v", "trainee__v", "-passed__v", "method__v", "-created_date__v"]


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True, first_name="Carla", last_name="Craig")
    client.force_login(user)
    return user


@pytest.fixture
def access() -> ObjectAccess:
    add_custom_fields()
    create_trainings()
    return open_trainings()


def build_sort(access: ObjectAccess, group: str, name: str) -> Sort:
    plain = name.removeprefix("-")
    return Sort(
        field=access.shape.get_field(plain) if plain else None,
        descending=name.startswith("-"),
        grouping=find_grouping(access=access, name=group),
    )


def walk(access: ObjectAccess, sort: Sort, *, size: int, backwards: bool = False) -> list[KeysetPage]:
    cursor: str | None = "last" if backwards else ""
    pages = []
    while cursor is not None:
        page = cut_page(records=access.list_records(), sort=sort, size=size, cursor=cursor)
        pages.append(page)
        cursor = page.previous_cursor if backwards else page.next_cursor
    return pages[::-1] if backwards else pages


def list_shown(page: Page) -> list[str]:
    """Return what leads each row; of a heading its whole text, which begins with the name of the column."""
    return [row[0] for row in page.body]


def list_headings(page: Page) -> list[str]:
    return [
        " ".join(re.sub("<.*?>", "", each).split())
        for each in page.find('<th colspan="[0-9]+" scope="rowgroup">(.*?)</th>')
    ]


@pytest.mark.parametrize("group", GROUPINGS)
def test_pages_of_groups_show_every_record_once_and_each_group_in_one_piece(access: ObjectAccess, group: str) -> None:
    for name in SORTS:
        sort = build_sort(access, group, name)
        assert sort.grouping is not None
        expected = [row.pk for row in order_records(records=access.list_records(), sort=sort)]
        assert sorted(expected) == sorted(Training.objects.values_list("pk", flat=True))
        for size in (1, 2, 3):
            forwards, backwards = walk(access, sort, size=size), walk(access, sort, size=size, backwards=True)
            assert [row.pk for page in forwards for row in page.rows] == expected, (name, size)
            assert [row.pk for page in backwards for row in page.rows] == expected, (name, size)
            groups = [
                sort.grouping.identify(values[sort.grouping.find_key()]) for page in forwards for values in page.values
            ]
            runs = [each for index, each in enumerate(groups) if index == 0 or each != groups[index - 1]]
            assert len(runs) == len(set(runs)), (name, runs)
            counts = sort.grouping.count(records=access.list_records(), identities=runs)
            assert counts == {each: groups.count(each) for each in runs}, name


def test_every_way_to_group_is_tried(access: ObjectAccess) -> None:
    known = {each.name for field in access.shape.fields.values() for each in list_groupings(access=access, field=field)}
    assert known - set(GROUPINGS) == {
        "modified_by__v",
        "modified_date__v",
        "modified_date__v__month",
    }


def test_headings_have_the_count_of_their_group_and_lead_to_it(client: Client, user: User) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?group=method__v&sort=name__v&columns=method__v")
    assert list_headings(page) == ["Method: Without Method 2", "Method: Classroom 2", "Method: Online 3"]
    classroom = open_page(client, page.links["Method: Classroom"])
    assert list_headings(classroom) == ["Method: Classroom 2"]
    assert len(open_page(client, page.links["Method: Without Method"]).body) == 3


@pytest.mark.parametrize(
    ("group", "expected"),
    [
        ("passed__v", ["Passed: No 3", "Passed: Yes 4"]),
        ("trainee__v", ["Trainee: Ann Smith 4", "Trainee: Bob Smith 3"]),
        ("created_by__v", ["Created by: Ada Admin 7"]),
        (
            "date__v",
            [
                "Date: Thursday, 24 December 2026 1",
                "Date: Monday, 2 March 2026 2",
                "Date: Saturday, 31 January 2026 1",
                "Date: Tuesday, 1 July 2025 1",
                "Date: Without Date 2",
            ],
        ),
        (
            "date__v__month",
            [
                "Date: December 2026 1",
                "Date: March 2026 2",
                "Date: January 2026 1",
                "Date: July 2025 1",
                "Date: Without Date 2",
            ],
        ),
    ],
)
def test_every_heading_filters_to_as_many_records_as_it_counts(
    client: Client, user: User, group: str, expected: list[str]
) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?group={group}")
    assert list_headings(page) == expected
    for heading in expected:
        text, _, count = heading.rpartition(" ")
        rows = open_page(client, page.links[text]).body
        assert len(rows) == int(count) + 1, heading


def test_counts_are_those_of_the_filtered_list(client: Client, user: User) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?group=method__v&passed__v=true&size=1")
    assert list_headings(page) == ["Method: Without Method 2"]
    page = open_page(client, page.links["Next page"])
    assert list_headings(page) == ["Method: Without Method 2 continued"]
    page = open_page(client, page.links["Next page"])
    assert list_headings(page) == ["Method: Classroom 1"]
    back = open_page(client, page.links["Previous page"])
    assert list_headings(back) == ["Method: Without Method 2 continued"]


def test_counts_are_those_of_what_the_user_sees(client: Client) -> None:
    sites = [StudySiteFactory.create() for _ in range(2)]
    for site in (*sites, sites[1]):
        ActivityFactory.create(site=site, channel="phone__v")
    user = log_in_with(client, "crm_activity__v:read", "study__v:read", sees_all_studies=False)
    StudyAssignmentFactory.create(user=user, study=sites[0].study)
    page = open_page(client, f"{ACTIVITIES}?group=channel__v")
    assert [each.rpartition(" ")[2] for each in list_headings(page)] == ["1"]


def test_hidden_records_are_not_grouped(client: Client) -> None:
    log_in_with(client, "crm_activity__v:read")
    ActivityFactory.create()
    page = open_page(client, f"{ACTIVITIES}?group=person__v")
    assert "Group by one of" in page.content
    assert "person__v" not in page.content.partition("Group by one of ")[2].partition("</li>")[0]
    assert ">Person</a>" not in page.content.partition("Group by")[2].partition("</details>")[0]


def test_the_month_of_a_heading_stays_within_the_filter_in_force(client: Client, user: User) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?group=date__v__month&date__v__from=2026-03-02&date__v__to=2026-06-30")
    url = page.links["Date: March 2026"]
    parameters = QueryDict(url.partition("?")[2])
    assert (parameters["date__v__from"], parameters["date__v__to"]) == ("2026-03-02", "2026-03-31")


def test_the_menu_groups_by_columns_and_leads_back(client: Client, user: User) -> None:
    create_trainings()
    page = open_page(client, f"{TRAININGS}?columns=method__v,date__v,remarks__v")
    menu = Page(page.content.partition('class="menu-label">Group by')[2].partition("</details>")[0])
    assert list(menu.links) == ["Method", "Date (day)", "Date (month)"]
    grouped = open_page(client, menu.links["Date (month)"])
    assert "Grouped by Date (month)" in " ".join(grouped.content.split())
    assert list_headings(open_page(client, grouped.links["No groups"])) == []


def test_views_and_exports_keep_the_groups(client: Client, user: User) -> None:
    create_trainings()
    client.post(f"{TRAININGS}views/?group=method__v&sort=-name__v", {"name": "By method"})
    page = open_page(client, f"{TRAININGS}?view={user.saved_views.get().uid}")
    assert list_headings(page)[0] == "Method: Without Method 2"
    names = [row[0] for row in page.body if not row[0].startswith("Method:")]
    exported = b"".join(client.get(f"{TRAININGS}export.csv?group=method__v&sort=-name__v&columns=name__v")).decode()
    assert exported.lstrip("\ufeff").split()[1:] == names
    narrowed = open_page(client, f"{TRAININGS}?group=method__v&passed__v=true")
    assert narrowed.links["Clear"] == f"{TRAININGS}?group=method__v"


def test_the_form_of_a_filter_keeps_the_groups(client: Client, user: User) -> None:
    page = client.get(f"{TRAININGS}filters/passed__v/?group=method__v&passed__v=true")
    form = read_form(page, form_id="filter-form")
    answer = client.get(f"{TRAININGS}filters/change/", form)
    assert answer.headers["Location"] == f"{TRAININGS}?group=method__v&passed__v=true"


@pytest.mark.usefixtures("stopped_clock")
def test_a_group_costs_one_statement_however_many_rows_there_are(client: Client, user: User) -> None:
    create_trainings()
    count_statements(client, TRAININGS)
    plain = count_statements(client, f"{TRAININGS}?sort=name__v")
    few = count_statements(client, f"{TRAININGS}?sort=name__v&group=trainee__v")
    rows = [Training(name=f"T{number}", trainee=PersonFactory.create()) for number in range(60)]
    create_records(records=rows, actor=build_admin_actor())
    assert (few, count_statements(client, f"{TRAININGS}?sort=name__v&group=trainee__v")) == (plain + 1, plain + 1)


def test_namesakes_are_two_groups(client: Client, user: User) -> None:
    create_trainings()
    people = Person.objects.order_by("pk")
    PersonFactory.create(first_name="Ann", last_name="Smith", email="other@example.org")
    create_records(records=[Training(name="z", trainee=people.latest("pk"))], actor=build_admin_actor())
    page = open_page(client, f"{TRAININGS}?group=trainee__v")
    assert list_headings(page) == ["Trainee: Ann Smith 4", "Trainee: Ann Smith 1", "Trainee: Bob Smith 3"]


def test_days_of_moments_are_those_of_the_user(client: Client, user: User) -> None:
    with time_machine.travel(dt.datetime(2026, 3, 31, 23, 30, tzinfo=dt.UTC), tick=False):
        create_trainings()
    page = open_page(client, f"{TRAININGS}?group=created_date__v__month")
    assert list_headings(page) == ["Created date: March 2026 7"]
    user.time_zone = "Europe/Vienna"
    save_user(user=user, actor=build_admin_actor(), fields=["time_zone"])
    for sort in ("name__v", "created_date__v"):
        page = open_page(client, f"{TRAININGS}?group=created_date__v__month&sort={sort}")
        assert list_headings(page) == ["Created date: April 2026 7"]


def test_what_is_no_group_is_a_problem(access: ObjectAccess) -> None:
    assert read_list(access=access, parameters=QueryDict("group=x")).problems["group"][0].startswith("Group by one of ")
