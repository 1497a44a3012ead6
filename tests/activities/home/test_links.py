"""Every number on the home page is that of the list which its link opens; nothing hidden is in any of them."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from activities.choices import Channel
from activities.home.sites import Cell
from activities.home.whose import Counted
from ctms.accounts.models import User
from ctms.clinical.choices import AssignmentRole, MonitoringEventState
from ctms.core.charts import Chart
from exceptions_log.models import ExceptionMessage
from tests.activities.home.people import TODAY, WRITE, count_opened, create_user, open_home
from tests.admin_rows import create_exception_item, create_exception_message
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.clinical import (
    MonitoringEventFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudySiteFactory,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def manager() -> User:
    """A study manager and CRA with two sites in one study and one in another, among work of others."""
    user = create_user(
        [*WRITE, "exception_item__sys:read", "exception_message__sys:read"], is_staff=True, username="mira"
    )
    studies = [StudyFactory.create(name=f"HOME-{number}") for number in range(3)]
    colleague = UserFactory.create(username="colin", first_name="Colin")
    message = create_exception_message()
    for study in studies[:2]:
        StudyAssignmentFactory.create(user=user, study=study, role=AssignmentRole.STUDY_MANAGER)
    for number, study in enumerate(studies):
        country = StudyCountryFactory.create(study=study)
        mine = [] if number == 2 else StudySiteFactory.create_batch(2 - number, study_country=country, owner=user)
        others = StudySiteFactory.create_batch(1, study_country=country, owner=colleague)
        for place, site in enumerate([*mine, *others]):
            _fill(site, place=place, message=message)
    # A site of the user's in a study that is hidden from the user by now.
    hidden = StudySiteFactory.create(study_country=country, owner=user)
    _fill(hidden, place=1, message=message)
    ActivityFactory.create(owner=user, date=TODAY - dt.timedelta(days=40), complete=True, subject="of no study")
    return user


def _fill(site: Any, *, place: int, message: ExceptionMessage) -> None:
    """Give a site activities of every kind, a visit to come and one that is cancelled, and a failure."""
    channels = list(Channel)
    for days in (-150, -70, -40, -9, -3, -1, 0, 1, 2, 4, 20):
        day = TODAY + dt.timedelta(days=days)
        channel = channels[(days + place) % len(channels)]
        ActivityFactory.create(site=site, date=day, channel=channel, complete=days < -5, owner=site.owner)
    ActivityFactory.create(site=site, date=TODAY, channel=Channel.EMAIL, complete=True, owner=site.owner)
    call = MedicalActivityFactory.create(
        site=site, date=TODAY - dt.timedelta(days=2), complete=True, connection=message.connection
    )
    for days in (-5, 6 + place, 30):
        MonitoringEventFactory.create(site=site, planned_start=TODAY + dt.timedelta(days=days), planned_end=None)
    MonitoringEventFactory.create(
        site=site, planned_start=TODAY, planned_end=None, lifecycle_state=MonitoringEventState.CANCELLED
    )
    create_exception_item(
        message=message, key=str(call.uid), item=str(call), record_object=call.object_name, record_uid=call.uid
    )


def list_counted(content: Any) -> Iterator[tuple[str, str]]:
    """Return URL and number of everything in the content of a panel that counts something."""
    if isinstance(content, (Counted, Cell)):
        if content.url and content.text:
            yield content.url, content.text
    elif isinstance(content, Chart):
        for series in content.series:
            yield from ((url, str(value)) for url, value in zip(series.links, series.values, strict=True))
    elif dataclasses.is_dataclass(content):
        names = {each.name for each in dataclasses.fields(content)}
        for name in names:
            if f"{name}_url" in names:
                yield getattr(content, f"{name}_url"), str(getattr(content, name))
        yield from list_counted([getattr(content, name) for name in names])
    elif isinstance(content, (dict, list)):
        for each in content.values() if isinstance(content, dict) else content:
            yield from list_counted(each)


@pytest.mark.parametrize("view", ["", "?view=team"])
def test_every_number_is_that_of_the_list_that_it_opens(client: Client, manager: User, view: str) -> None:
    client.force_login(manager)
    panels = {each["key"]: each["content"] for each in open_home(manager, view).context["panels"]}
    charts = client.get(reverse("home_panel", args=("charts",))).context["panel"]["content"]
    told = dict([*list_counted(list(panels.values())), *list_counted(charts)])
    assert len(told) >= 15
    assert {url: count_opened(client, url) for url in told} == told


def test_the_sites_say_what_is_next_and_only_of_sites_that_are_seen(manager: User) -> None:
    content = next(each["content"] for each in open_home(manager).context["panels"] if each["key"] == "sites")
    assert (len(content["rows"]), content["all"].text) == (3, "3")
    assert {row.overdue.text for row in content["rows"]} == {"2"}
    assert {row.exceptions.text for row in content["rows"]} == {"1"}
    assert sorted(str(row.visit.day) for row in content["rows"]) == ["2026-03-10", "2026-03-10", "2026-03-11"]


def test_days_lead_to_lists_that_begin_with_that_day(client: Client, manager: User) -> None:
    client.force_login(manager)
    content = next(each["content"] for each in open_home(manager).context["panels"] if each["key"] == "sites")
    for row in content["rows"]:
        page = client.get(row.visit.url).context["page"]
        assert page.table.rows[0].planned_start == row.visit.day


def test_the_names_of_a_hidden_study_are_nowhere(client: Client, manager: User) -> None:
    client.force_login(manager)
    pages: list[Any] = [open_home(manager), open_home(manager, "?view=team"), client.get("/home/charts/")]
    assert [b"HOME-2" in page.content for page in pages] == [False] * 3
