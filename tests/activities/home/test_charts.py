"""The charts of home count what is complete in six months, by month, channel and study; they load after the page."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from activities.choices import Channel
from ctms.accounts.models import User
from ctms.reports.errors import ReportTooSlowError
from tests.activities.home.people import READ, TODAY, create_user, find_panel, log_activity, open_home
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def draw(user: User) -> dict[str, Any]:
    client = Client()
    client.force_login(user)
    content: dict[str, Any] = client.get("/home/charts/").context["panel"]["content"]
    return content


def read(user: User) -> dict[str, dict[str, int]]:
    """Return the figures of each chart by its title."""
    return {
        chart.title: dict(zip(chart.categories, chart.series[0].values, strict=True)) for chart in draw(user)["charts"]
    }


def test_what_is_complete_is_counted_by_month_channel_and_study() -> None:
    user = create_user(READ)
    study = StudyFactory.create(name="CARD-1")
    StudyAssignmentFactory.create(user=user, study=study)
    for day in (dt.date(2025, 10, 1), dt.date(2026, 2, 28), TODAY):
        ActivityFactory.create(owner=user, study=study, date=day, complete=True, channel=Channel.VIDEO)
    log_activity(user, 3, complete=True)
    log_activity(user, 3)  # open
    ActivityFactory.create(owner=user, date=dt.date(2025, 9, 30), complete=True, study=study)  # too long ago
    ActivityFactory.create(owner=user, date=dt.date(2026, 3, 5), complete=True, study=study)  # of tomorrow
    assert read(user) == {
        "By month": {"Oct 2025": 1, "Nov 2025": 0, "Dec 2025": 0, "Jan 2026": 0, "Feb 2026": 1, "Mar 2026": 2},
        "By channel": {"Video": 3, "Phone": 1},
        "By study": {"CARD-1": 3, "No study": 1},
    }


def test_the_page_has_a_link_to_the_charts_until_they_are_loaded(user: User) -> None:
    log_activity(user, 3, complete=True)
    page = open_home(user).content.decode()
    assert ('href="/home/charts/"' in page, '<svg class="chart' in page, find_panel(user, "charts")) == (
        True,
        False,
        None,
    )
    assert [each["title"] for each in [draw(user)] if "title" in each] == []


def test_without_studies_to_read_there_is_no_chart_of_them(user: User) -> None:
    log_activity(user, 3, complete=True)
    assert list(read(user)) == ["By month", "By channel"]


def test_who_has_nothing_complete_is_told_so(user: User) -> None:
    assert draw(user)["is_empty"] is True


def test_charts_that_take_too_long_give_way_to_the_list(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def take_long(*_args: object) -> None:
        raise ReportTooSlowError("It took too long.")

    monkeypatch.setattr("activities.home.charts._count", take_long)
    assert draw(user)["is_too_slow"] is True


def test_other_panels_have_no_page(client: Client, user: User) -> None:
    client.force_login(user)
    assert [client.get(f"/home/{key}/").status_code for key in ("due", "nothing")] == [404, 404]


def test_the_page_of_a_panel_is_for_who_may_read_activities(client: Client) -> None:
    client.force_login(create_user(["study__v:read"]))
    assert client.get("/home/charts/").status_code == 404
