"""Dates that people type where a browser has no date picker: they are read with the day first, and told as read."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags

from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.clinical.models import Study
from ctms.records.fields.kinds.date import DayField
from ctms.records.fields.kinds.datetime import MomentField
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db

DAY = dt.date(2026, 3, 31)
IN_APRIL = "03/04/2026 was read as 3 Apr 2026, with the day first."


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(is_superuser=True)
    client.force_login(made)
    return made


@pytest.mark.parametrize(
    ("text", "day", "told"),
    [
        ("2026-03-31", DAY, ""),
        ("31 Mar 2026", DAY, ""),
        ("31.03.2026", DAY, ""),
        ("31. März 2026", DAY, ""),
        ("31/03/2026", DAY, ""),  # no month 31
        ("31-Mar-26", DAY, "31-Mar-26 was read as 31 Mar 2026."),
        ("31.3.26", DAY, "31.3.26 was read as 31 Mar 2026."),
        ("03/04/2026", dt.date(2026, 4, 3), IN_APRIL),
        (" 3/4/26 ", dt.date(2026, 4, 3), "3/4/26 was read as 3 Apr 2026, with the day first."),
        ("31 Mar 60", dt.date(1960, 3, 31), "31 Mar 60 was read as 31 Mar 1960."),
    ],
)
def test_a_day_is_read_as_people_write_it(text: str, day: dt.date, told: str) -> None:
    field = DayField()
    assert (field.clean(text), field.told) == (day, told)


@pytest.mark.parametrize("text", ["26-03-31", "46112", "soon", "31/31/2026", "31 Mar 2026 14:05", "30 Feb 2026"])
def test_what_is_no_day_is_none(text: str) -> None:
    with pytest.raises(ValidationError, match="Enter a valid date"):
        DayField().clean(text)


def test_a_date_with_the_month_first_is_refused_with_what_it_may_mean() -> None:
    with pytest.raises(ValidationError) as caught:
        DayField().clean("3/25/2026")
    assert caught.value.messages == [
        "Dates are read with the day first, and there is no month 25. If 3/25/2026 is 25 Mar 2026, write that."
    ]


@pytest.mark.parametrize(
    ("text", "hour", "told"),
    [
        ("2026-03-31T14:05", 14, ""),
        ("31 Mar 2026, 14:05", 14, ""),
        ("31.3.2026 2:05 pm", 14, ""),
        ("31-Mar-26 14:05", 14, "31-Mar-26 14:05 was read as 31 Mar 2026."),
    ],
)
def test_a_moment_is_read_as_people_write_it(text: str, hour: int, told: str) -> None:
    field = MomentField()
    with timezone.override(dt.UTC):
        assert field.clean(text) == dt.datetime(2026, 3, 31, hour, 5, tzinfo=dt.UTC)
    assert field.told == told


def test_a_new_record_says_how_its_date_was_read(client: Client) -> None:
    address = "/records/crm_activity__v/create/"
    typed = {"person__v__text": PersonFactory.create().email, "channel__v": "phone__v", "date__v": "03/04/2026"}
    values = fill(read_form(client.get(address), form_id="record-form"), typed=typed)
    assert client.post(address, values).status_code == 302
    activity = Activity.objects.get()
    [message] = list_messages(client.get("/"))
    assert activity.date == dt.date(2026, 4, 3)
    assert strip_tags(message) == f"Activity created: {tell_new(activity)}. Date: {IN_APRIL} Undo"


def test_a_changed_record_says_how_its_date_was_read(client: Client) -> None:
    study = StudyFactory.create()
    address = f"/records/study__v/{study.uid}/edit/"
    values = fill(read_form(client.get(address), form_id="record-form"), typed={"planned_start_date__v": "03/04/2026"})
    assert client.post(address, values).status_code == 302
    [message] = list_messages(client.get("/"))
    assert f"{study} was saved. Planned start: {IN_APRIL}" in message
    assert Study.objects.get().planned_start == dt.date(2026, 4, 3)


@pytest.mark.parametrize("headers", [{}, {"HX-Request": "true"}])
def test_a_field_edited_in_place_says_how_its_date_was_read(client: Client, headers: dict[str, str]) -> None:
    study = StudyFactory.create()
    address = f"/records/study__v/{study.uid}/fields/planned_start_date__v/"
    typed = {"planned_start_date__v": "03/04/2026", "expected_version": "1"}
    page = client.post(address, typed, headers=headers, follow=True).content.decode()
    assert f"Planned start: {IN_APRIL}" in page


def test_a_form_that_comes_back_says_it_beside_the_field(client: Client) -> None:
    study = StudyFactory.create()
    address = f"/records/study__v/{study.uid}/edit/"
    typed = {"planned_start_date__v": "03/04/2026", "name__v": ""}
    values = fill(read_form(client.get(address), form_id="record-form"), typed=typed)
    assert f'<div class="help">{IN_APRIL}</div>' in client.post(address, values).content.decode()
