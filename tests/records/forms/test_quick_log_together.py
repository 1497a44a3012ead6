"""Several people at once, the next step and templates in the quick log."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from activities.models import Activity
from ctms.accounts.models import User
from ctms.core.choices import RecordStatus
from tests.admin_forms import fill, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityTemplateFactory
from tests.factories.clinical import (
    PersonFactory,
    StudyAssignmentFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.records.forms.quick_log_steps import FORM, JSON, QUICK, SEEN, look_up, submit

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


# -- Several people, together or not at all -----------------------------------------------------------------------
@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.both_databases
def test_a_record_for_each_person_with_the_same_words(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    people = [StudyPersonFactory.create(site=site).person for _ in range(3)]
    together = look_up(client, site__v=site.uid, together=1)["results"]
    persons: list[Any] = [site.principal_investigator, *people]
    assert [each["uid"] for each in together] == [str(each.uid) for each in persons]

    url = f"{QUICK}?from=site__v:{site.uid}"
    answer = submit(
        client, url, headers=JSON, person__v=[each["uid"] for each in together], channel__v="email__v", and_create="1"
    )

    assert answer.json()["message"]["text"] == "4 activities created:"
    saved = Activity.objects.all()
    assert {(each.site, each.study, each.channel, each.complete) for each in saved} == {
        (site, site.study, "email__v", True)
    }
    kept = parse_qs(urlsplit(answer.json()["next"]).query)
    assert (kept["channel__v"], kept["date__v"], kept["site__v"], "person__v" in kept) == (
        ["email__v"],
        [timezone.localdate().isoformat()],
        [str(site.uid)],
        False,
    )


def test_none_is_saved_if_one_cannot_be(client: Client, user: User) -> None:
    person = PersonFactory.create()

    answer = submit(client, person__v__text=f"{person.email}; Nobody")

    assert "person__v" in answer.context["form"].errors
    assert not Activity.objects.exists()


# -- The next step ------------------------------------------------------------------------------------------------
def list_written() -> list[tuple[Any, ...]]:
    """Each activity, by day and person."""
    saved = Activity.objects.order_by("date", "person__name")
    return [(each.date, each.person, each.subject, each.complete, each.site, each.notes) for each in saved]


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.both_databases
@pytest.mark.parametrize("address", [QUICK, "/records/crm_activity__v/create/"])
def test_the_next_step_is_planned_along(client: Client, user: User, address: str) -> None:
    site = StudySiteFactory.create(owner=UserFactory.create(is_superuser=True))
    people = [StudyPersonFactory.create(site=site, person__last_name=name).person for name in ("Aa", "Bb")]
    today = timezone.localdate()
    in_two_weeks = today + dt.timedelta(weeks=2)
    url = f"{address}?site__v={site.uid}"
    typed = {
        "person__v": [str(each.uid) for each in people],
        "channel__v": "phone__v",
        "subject__v": "Call",
        "notes__v": "Not there",
        "next_step": in_two_weeks.isoformat(),
        "next_step_text": "Call again",
    }
    form_id = FORM if address == QUICK else "record-form"
    sent = fill(read_form(client.get(url), form_id=form_id), typed=typed)

    answers = [client.post(url, sent, headers=JSON).json() for _ in range(2)]

    assert list_written() == [
        *((today, each, "Call", True, site, "Not there") for each in people),
        *((in_two_weeks, each, "Call again", False, site, "") for each in people),
    ]
    planned = Activity.objects.filter(complete=False)
    assert {(each.owner, each.channel, each.study) for each in planned} == {(user, "phone__v", site.study)}
    assert {each.owner for each in Activity.objects.filter(complete=True)} == {site.owner}
    assert [each["message"]["text"] for each in answers] == [
        "2 activities created:",
        "2 activities had been created already, and not again:",
    ]
    assert answers[0]["message"]["told"] == f"Next step planned for {date_format(in_two_weeks)}."


@pytest.mark.usefixtures("stopped_clock")
def test_the_next_step_is_undone_with_what_it_follows(client: Client, user: User) -> None:
    week = (timezone.localdate() + dt.timedelta(weeks=1)).isoformat()
    answer = submit(client, headers=JSON, person__v__text=PersonFactory.create().email, next_step=week)
    assert Activity.objects.count() == 2

    client.post(answer.json()["message"]["undo_url"])

    assert not Activity.objects.exists()


@pytest.mark.usefixtures("stopped_clock")
def test_a_next_step_on_a_day_of_its_own(client: Client, user: User) -> None:
    day = timezone.localdate() + dt.timedelta(days=5)
    submit(
        client,
        person__v__text=PersonFactory.create().email,
        next_step="day",
        next_step_day=day.isoformat(),
        subject__v="Call",
    )

    assert [(each[0], each[2]) for each in list_written()] == [(timezone.localdate(), "Call"), (day, "Call")]


@pytest.mark.parametrize(
    ("typed", "errors"),
    [
        ({"next_step": "day"}, {"next_step_day": "Enter the day of the next step, such as 2026-03-31."}),
        (
            {"next_step": "day", "next_step_day": "2020-01-01"},
            {"next_step_day": "The next step is to come: choose a day after today."},
        ),
        ({"next_step": "2020-01-01"}, {"next_step": "The next step is to come: choose a day after today."}),
        ({"next_step": "tomorrow"}, {"next_step": "Choose when the next step is, or that there is none."}),
    ],
)
def test_nothing_is_saved_without_a_day_to_come(
    client: Client, user: User, typed: dict[str, Any], errors: dict[str, str]
) -> None:
    answer = submit(client, person__v__text=PersonFactory.create().email, **typed)

    assert {name: " ".join(found) for name, found in answer.context["form"].errors.items()} == errors
    assert not Activity.objects.exists()


@pytest.mark.usefixtures("stopped_clock")
def test_neither_is_saved_if_the_next_step_cannot_be(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rule that refuses what is planned, as a validation of an admin might."""

    def refuse(activity: Activity) -> None:
        if not activity.complete:
            raise ValidationError({"subject": "Planned calls need another subject."})

    monkeypatch.setattr(Activity, "clean", refuse)
    week = (timezone.localdate() + dt.timedelta(weeks=1)).isoformat()

    answer = submit(client, person__v__text=PersonFactory.create().email, next_step=week)

    assert answer.context["form"].errors["subject__v"] == ["Planned calls need another subject."]
    assert not Activity.objects.exists()


@pytest.mark.parametrize(
    ("today", "offered"), [("2026-01-31", "28 Feb"), ("2026-12-15", "15 Jan"), ("2028-01-30", "29 Feb")]
)
def test_in_a_month_is_the_same_day_or_the_last(
    client: Client, user: User, time_machine: Any, today: str, offered: str
) -> None:
    time_machine.move_to(dt.datetime.fromisoformat(f"{today}T12:00:00+00:00"), tick=False)
    client.force_login(user)

    assert f"1 month, {offered}" in client.get(QUICK).content.decode()


# -- Templates ----------------------------------------------------------------------------------------------------
def list_templates(answer: Any) -> list[str]:
    return [each.name for each in answer.context["offer"].offered]


@pytest.mark.both_databases
def test_templates_of_the_study_are_offered_once_it_is_known(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    for name, changes in (("Visit", {}), ("Call", {}), ("Old", {"status": RecordStatus.INACTIVE})):
        ActivityTemplateFactory.create(study=site.study, name=name, **changes)
    ActivityTemplateFactory.create(name="Elsewhere")

    assert list_templates(client.get(QUICK)) == []
    assert list_templates(client.get(f"{QUICK}?from=site__v:{site.uid}")) == ["Call", "Visit"]
    assert list_templates(client.get(f"/records/crm_activity__v/create/?site__v={site.uid}")) == ["Call", "Visit"]
    part = client.get(f"/records/crm_activity__v/templates/?study__v={site.study.uid}")
    assert list_templates(part) == ["Call", "Visit"]
    assert client.get("/records/study__v/templates/").status_code == 404


def test_without_javascript_a_template_opens_the_form_with_its_words(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    ActivityTemplateFactory.create(study=site.study, name="Call", channel="email__v")
    url = f"{QUICK}?from=site__v:{site.uid}"

    [offered] = client.get(url).context["offer"].offered
    values = read_form(client.get(offered.url), form_id=FORM)

    assert (values["subject__v"], values["notes__v"], values["channel__v"]) == (
        ["Monthly call"],
        ["Recruitment:\nOpen queries:"],
        ["email__v"],
    )
    assert values["site__v"] == [str(site.uid)]
    # What the address gives itself is not overwritten.
    assert read_form(client.get(f"{offered.url}&subject__v=Mine"), form_id=FORM)["subject__v"] == ["Mine"]


def test_templates_of_studies_that_the_user_does_not_see_are_not_offered(client: Client) -> None:
    permissions = [f"{name}:{action}" for name in (*SEEN, "activity_template__v") for action in ("read", "create")]
    member = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    mine, hidden = (ActivityTemplateFactory.create() for _ in range(2))
    StudyAssignmentFactory.create(user=member, study=mine.study)
    client.force_login(member)

    for template, expected in ((mine, [mine.name]), (hidden, [])):
        part = client.get(f"/records/crm_activity__v/templates/?study__v={template.study.uid}")
        assert list_templates(part) == expected


def test_who_may_not_read_templates_is_offered_none(client: Client) -> None:
    permissions = [f"{name}:{action}" for name in SEEN for action in ("read", "create")]
    member = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    template = ActivityTemplateFactory.create()
    StudyAssignmentFactory.create(user=member, study=template.study)
    client.force_login(member)

    answer = client.get(f"{QUICK}?study__v={template.study.uid}")

    assert (answer.context["offer"].is_there, list_templates(answer)) == (False, [])
