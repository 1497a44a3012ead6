"""Logging an activity in seconds: six fields, on a page of its own or in a dialog over any page."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activities.choices import ActivityType
from activities.models import Activity
from ctms.accounts.models import User
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory
from tests.records.undo.steps import name_url

pytestmark = pytest.mark.django_db

QUICK = "/records/crm_activity__v/quick/"
FORM = "quick-form"
JSON = {"Accept": "application/json"}


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


def submit(client: Client, url: str = QUICK, *, headers: dict[str, str] | None = None, **typed: Any) -> Any:
    return client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=typed), headers=headers)


def test_six_fields_and_today(client: Client, user: User) -> None:
    answer = client.get(QUICK)

    assert list(answer.context["form"].fields) == [
        "person__v",
        "channel__v",
        "date__v",
        "complete__v",
        "subject__v",
        "study__v",
    ]
    assert read_form(answer, form_id=FORM)["date__v"] == [timezone.localdate().isoformat()]


def test_the_page_is_what_the_dialog_takes(client: Client, user: User) -> None:
    page = client.get(QUICK).content.decode()

    assert ('<div class="quick-log dialog-form">' in page, "autofocus" in page) == (True, True)
    assert client.get("/").context["frame"].quick_log_url == QUICK


def test_without_javascript_the_page_leads_to_the_record(client: Client, user: User) -> None:
    person, study = PersonFactory.create(), StudyFactory.create()

    answer = submit(client, person__v__text=person.email, study__v__text=study.name, channel__v="phone__v")
    activity = Activity.objects.get()
    url = f"/records/crm_activity__v/{activity.uid}/"
    assert (answer.status_code, answer.headers["Location"]) == (302, url)
    assert (activity.person, activity.study, activity.from_text) == (person, study, "Carla Craig (carla@x.example)")
    [message] = list_messages(client.get("/"))
    assert message.startswith(f'Activity created: <a href="{url}">{activity.name}</a> <button ')


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
                "label": activity.name,
                "url": f"/records/crm_activity__v/{activity.uid}/",
                "undo_url": name_url(activity),
                "told": "",
            },
            "next": f"{QUICK}?date__v={timezone.localdate()}&channel__v=email__v",
        },
    )


def test_the_dialog_gets_the_form_back_with_what_was_typed(client: Client, user: User) -> None:
    answer = submit(client, headers=JSON, person__v__text="Nobody", subject__v="Call", complete__v="on")

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
