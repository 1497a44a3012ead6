"""Activities are logged in a few fields."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from activities.choices import ActivityType
from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from tests.admin_forms import list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    PersonFactory,
    StudyFactory,
    StudySiteFactory,
)
from tests.records.forms.quick_log_steps import FORM, JSON, QUICK, submit
from tests.records.undo.steps import name_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


@pytest.mark.usefixtures("stopped_clock")
def test_eight_fields_and_a_call_of_today(client: Client, user: User) -> None:
    answer = client.get(QUICK)

    assert list(answer.context["form"].fields) == [
        "person__v",
        "subject__v",
        "channel__v",
        "date__v",
        "complete__v",
        "notes__v",
        "site__v",
        "study__v",
    ]
    values = read_form(answer, form_id=FORM)
    assert (values["date__v"], values["complete__v"], values["channel__v"]) == (
        [timezone.localdate().isoformat()],
        ["on"],
        ["phone__v"],
    )


def test_the_page_is_what_the_dialog_takes(client: Client, user: User) -> None:
    page = client.get(QUICK).content.decode()

    assert ('<div class="quick-log dialog-form">' in page, "autofocus" in page) == (True, True)
    assert client.get("/").context["frame"].quick_log.url == QUICK


def test_without_javascript_the_page_leads_to_the_record(client: Client, user: User) -> None:
    person, study = PersonFactory.create(), StudyFactory.create()

    answer = submit(client, person__v__text=person.email, study__v__text=study.name, channel__v="phone__v")
    activity = Activity.objects.get()
    url = f"/records/crm_activity__v/{activity.uid}/"
    assert (answer.status_code, answer.headers["Location"]) == (302, url)
    assert (activity.person, activity.study, activity.from_text) == (person, study, "Carla Craig (carla@x.example)")
    [message] = list_messages(client.get("/"))
    assert message.startswith(f'Activity created: <a href="{url}">{tell_new(activity)}</a> <button ')


@pytest.mark.usefixtures("stopped_clock")
def test_the_dialog_is_told_what_was_saved(client: Client, user: User) -> None:
    person = PersonFactory.create()

    answer = submit(client, headers=JSON, person__v__text=person.email, channel__v="email__v", and_create="1")

    activity = Activity.objects.get()
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "uid": str(activity.uid),
            "label": activity.name,
            "message": {
                "text": "Activity created:",
                "label": f"Email with {person}",
                "url": f"/records/crm_activity__v/{activity.uid}/",
                "undo_url": name_url(activity),
                "told": "",
            },
            "next": f"{QUICK}?date__v={timezone.localdate()}&channel__v=email__v",
        },
    )


def test_the_dialog_gets_the_form_back_with_what_was_typed(client: Client, user: User) -> None:
    answer = submit(client, headers=JSON, person__v__text="Nobody", channel__v="", subject__v="Call", complete__v="on")

    assert answer.status_code == 200
    values = read_form(answer, form_id=FORM)
    assert (values["person__v__text"], values["subject__v"], values["complete__v"]) == (["Nobody"], ["Call"], ["on"])
    assert sorted(answer.context["form"].errors) == ["channel__v", "person__v"]


def test_a_field_that_the_type_requires_is_asked_for_too(client: Client, user: User) -> None:
    require_site()
    site = StudySiteFactory.create()

    answer = submit(client, person__v__text=PersonFactory.create().email, channel__v="email__v")
    assert dict(answer.context["form"].errors) == {
        "site__v": ["Choose a study site from the list, or type the exact name."]
    }

    answer = submit(
        client, person__v__text=PersonFactory.create().email, channel__v="email__v", site__v__text=site.name
    )
    assert (answer.status_code, Activity.objects.get().study) == (302, site.study)


def require_site() -> None:
    object_type = ObjectType.objects.get(of_object="crm_activity__v", api_name=ActivityType.CLINICAL)
    decision = FieldDecision(is_assigned=True, is_required=True)
    decide_fields(object_type=object_type, decisions={"site__v": decision}, actor=build_admin_actor())


def test_only_who_may_create_logs_quickly(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"])
    client.force_login(UserFactory.create(security_profile=profile))

    for answer in (client.get(QUICK), client.post(QUICK)):
        assert (answer.status_code, answer.context["exception"]) == (
            403,
            "Your security profile does not allow you to create Clinical Activity records.",
        )


def test_an_object_that_names_no_fields_is_not_logged_quickly(client: Client, user: User) -> None:
    assert client.get("/records/study__v/quick/").status_code == 404


# -- Complete -----------------------------------------------------------------------------------------------------
@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize(("days", "is_complete"), [(-1, True), (0, True), (1, False)])
def test_what_is_not_to_come_is_complete(client: Client, user: User, days: int, is_complete: bool) -> None:
    date = (timezone.localdate() + dt.timedelta(days=days)).isoformat()

    for url in (QUICK, "/records/crm_activity__v/create/"):
        assert client.get(url, {"date__v": date}).context["form"].initial["complete__v"] is is_complete
        assert client.get(url, {"date__v": date, "complete__v": "no"}).context["form"].initial["complete__v"] is False
