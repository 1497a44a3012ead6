"""The calendar's page: what its address says, what its days lead to, and who sees it."""

from __future__ import annotations

import datetime as dt
import re
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from time_machine import travel

from ctms.accounts.models import User
from ctms.clinical.models import StudySite
from ctms.records.calendar.page import CalendarPage
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudySiteFactory
from tests.records.calendar.visits import day, plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _logged_in(client: Client, carla: User) -> None:
    client.force_login(carla)


def show(client: Client, **parameters: str) -> tuple[CalendarPage, str]:
    response = client.get("/calendar/", parameters)
    assert response.status_code == HTTPStatus.OK
    return response.context["page"], response.content.decode()


def find_cell(page: CalendarPage, date: dt.date) -> Any:
    return next(cell for row in page.rows for cell in row if cell.date == date)


def test_a_month_begins_and_ends_with_whole_weeks_from_monday_on(client: Client) -> None:
    page, _ = show(client, date="2026-12")
    assert (page.rows[0][0].date, page.rows[-1][-1].date) == (dt.date(2026, 11, 30), dt.date(2027, 1, 3))
    assert (page.period.title, len(page.rows)) == ("December 2026", 5)


@pytest.mark.parametrize(
    ("view", "title", "previous", "following"),
    [
        ("month", "December 2026", "2026-11-01", "2027-01-01"),
        ("week", "28 December 2026 – 3 January 2027", "2026-12-24", "2027-01-07"),
        ("agenda", "31 December 2026 – 27 January 2027", "2026-12-03", "2027-01-28"),
        ("day", "Thursday 31 December 2026", "2026-12-30", "2027-01-01"),
    ],
)
def test_each_view_has_its_days_and_the_way_to_those_before_and_after(
    client: Client, view: str, title: str, previous: str, following: str
) -> None:
    page, content = show(client, view=view, date="2026-12-31")
    assert page.period.title == title
    dates = [parse_qs(urlsplit(url).query)["date"] for url in (page.previous_url, page.next_url)]
    assert dates == [[previous], [following]]
    assert f'<h1 class="page-title" id="calendar-title">{title}</h1>' in content


def test_today_is_that_of_the_users_time_zone(client: Client, carla: User) -> None:
    carla.time_zone = "Pacific/Auckland"
    carla.save()
    with travel("2026-12-10T13:00:00Z", tick=False):
        client.force_login(carla)
        page, content = show(client)
    assert page.today == day(11)
    assert re.findall(r'id="day-([\d-]+)"[^>]*aria-current="date"', content) == ["2026-12-11"]


def test_an_address_that_is_not_understood_says_what_to_enter(client: Client) -> None:
    page, content = show(client, view="year", date="soon", whose="yours")
    assert len(page.address.problems) == 3
    assert "Enter one such as 2026-12-03" in content
    assert show(client, date="1200-01-01")[0].address.problems == (
        "Date: enter a day between 1900-01-01 and 2199-12-31.",
    )


@pytest.mark.parametrize("date", ["1900-01-01", "2199-12-31"])
@pytest.mark.parametrize("view", ["month", "week", "agenda", "day"])
def test_the_first_and_the_last_days_have_a_page(client: Client, view: str, date: str) -> None:
    page, _ = show(client, view=view, date=date)
    assert "" in (page.previous_url, page.next_url)


def test_a_visit_of_several_days_keeps_its_line(client: Client, site: StudySite) -> None:
    lasting = plan(site, 8, 11)
    other = plan(site, 9, 14)
    page, _ = show(client, date="2026-12")
    lines = [[line and line.entry.uid for line in find_cell(page, day(number)).lines] for number in range(8, 15)]
    assert lines == [
        [lasting.uid],
        [lasting.uid, other.uid],
        [lasting.uid, other.uid],
        [lasting.uid, other.uid],
        [None, other.uid],
        [None, other.uid],
        [other.uid],
    ]
    first, last = find_cell(page, day(8)).lines[0], find_cell(page, day(11)).lines[0]
    assert (first.opens, first.closes, last.opens, last.closes) == (True, False, False, True)


def test_what_does_not_fit_is_counted_and_the_day_shows_all_of_it(client: Client, site: StudySite) -> None:
    for number in range(8):
        ActivityFactory.create(site=site, date=day(9), subject=f"Call {number}")
    page, content = show(client, date="2026-12")
    cell = find_cell(page, day(9))
    assert (len(cell.lines), cell.more, cell.day.total) == (3, 5, 8)
    assert "+5 more" in content
    assert "Wednesday 9 December 2026, 8 entries" in content
    _, content = show(client, view="day", date="2026-12-09")
    assert all(f"Call {number}" in content for number in range(8))


def test_a_day_offers_to_plan_a_visit_on_it(client: Client, carla: User, site: StudySite) -> None:
    page, _ = show(client, date="2026-12", whose=str(site.study.uid))
    [visit, activity] = find_cell(page, day(9)).plans
    assert (visit.label, activity.label) == ("Plan a visit", "Plan an activity")
    response = client.get(f"{visit.url}&object_type__v=interim_monitoring_visit__v")
    form = response.context["form"]
    assert form["planned_start_date__v"].value() == day(9)
    assert client.get(activity.url).context["form"]["date__v"].value() == day(9)

    carla.security_profile = SecurityProfileFactory.create(permissions=["monitoring_event__ctms:read"])
    carla.save()
    assert find_cell(show(client, date="2026-12")[0], day(9)).plans == []


def test_the_calendar_of_one_study_is_chosen_from_those_that_the_user_sees(client: Client, site: StudySite) -> None:
    hidden = StudySiteFactory.create()
    ActivityFactory.create(site=site, study=site.study, date=day(9), subject="Of the study")
    page, content = show(client, date="2026-12", whose=str(site.study.uid))
    assert [link.label for link in page.studies] == ["CARDIO-301 · Study CARDIO-301"]
    assert page.chosen_study.startswith("CARDIO-301")
    assert "Of the study" in content
    page, content = show(client, date="2026-12", whose=str(hidden.study.uid))
    assert hidden.study.name not in content
    assert page.chosen_study == ""


def test_who_has_nothing_is_shown_the_way_to_the_studies(client: Client) -> None:
    page, content = show(client)
    assert "Nothing of yours is planned" in content
    assert page.studies_url.replace("&", "&amp;") in content


def test_the_calendar_has_a_tab_beside_home_for_who_may_read_something_in_it(client: Client) -> None:
    tabs = client.get("/").context["frame"].tabs
    assert tabs[0].label == "Calendar"
    assert not tabs[0].is_current
    other = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=["person__sys:read"]))
    client.force_login(other)
    assert "Calendar" not in [each.label for each in client.get("/").context["frame"].tabs]
    assert client.get("/calendar/").status_code == HTTPStatus.FORBIDDEN


@pytest.mark.parametrize("view", ["month", "week", "agenda", "day"])
def test_the_number_of_statements_does_not_grow_with_the_entries(
    client: Client, carla: User, site: StudySite, view: str
) -> None:
    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            show(client, view=view, date="2026-12-09", whose="studies")
        return len(queries)

    def fill() -> None:
        plan(site, 9, 10)
        ActivityFactory.create(site=site, study=site.study, date=day(9))

    with travel("2026-12-10T10:00:00Z", tick=False):
        client.force_login(carla)
        fill()
        count()
        before = count()
        for _ in range(20):
            fill()
        assert count() == before
