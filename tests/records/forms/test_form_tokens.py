"""A form that is sent again creates nothing again, whichever form it is."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils.html import strip_tags

from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record
from ctms.clinical.choices import CommunicationType
from ctms.clinical.models import Person, Study, StudyCommunicationLog
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyPersonFactory, StudySiteFactory

pytestmark = pytest.mark.django_db

CREATE = "/records/crm_activity__v/create/"
QUICK = "/records/crm_activity__v/quick/"
JSON = {"Accept": "application/json"}


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return user


def open_form(client: Client, url: str, *, form_id: str = "record-form", **typed: Any) -> dict[str, Any]:
    return fill(read_form(client.get(url), form_id=form_id), typed=typed)


def log_call(client: Client, url: str = CREATE, **typed: Any) -> dict[str, Any]:
    """Open the form and type into it, without sending it."""
    email = PersonFactory.create().email
    return open_form(client, url, person__v__text=email, channel__v="phone__v", subject__v="Call", **typed)


@pytest.mark.usefixtures("user")
def test_a_form_that_is_sent_twice_creates_one_record_and_the_second_answer_leads_to_it(client: Client) -> None:
    typed = log_call(client)

    first, second = client.post(CREATE, typed), client.post(CREATE, typed)

    activity = Activity.objects.get()
    address = f"/records/crm_activity__v/{activity.uid}/"
    assert [(each.status_code, each.headers["Location"]) for each in (first, second)] == [(302, address)] * 2
    assert [strip_tags(each) for each in list_messages(client.get("/"))] == [
        f"Activity created: {tell_new(activity)} Undo",
        f"Activity had been created already, and not again: {tell_new(activity)}",
    ]
    assert AuditEntry.objects.filter(record_uid=activity.uid).count() == 1


@pytest.mark.usefixtures("user")
def test_what_only_one_record_may_have_is_no_obstacle_to_the_second_answer(client: Client) -> None:
    typed = open_form(client, "/records/study__v/create/", name__v="ONC-1")

    answers = [client.post("/records/study__v/create/", typed) for _ in range(2)]

    assert [each.status_code for each in answers] == [302, 302]
    assert Study.objects.count() == 1


@pytest.mark.usefixtures("user")
def test_a_filled_reference_does_not_make_a_second_request_another_one(client: Client) -> None:
    site = StudySiteFactory.create()
    typed = log_call(client, site__v__text=site.name)

    assert [client.post(CREATE, typed).status_code for _ in range(2)] == [302, 302]
    assert Activity.objects.get().study == site.study


@pytest.mark.usefixtures("user")
def test_back_and_other_values_ask_and_save_makes_another_record(client: Client) -> None:
    typed = log_call(client)
    client.post(CREATE, typed)
    first = Activity.objects.get()

    asked = client.post(CREATE, typed | {"subject__v": "Another call"})

    text = " ".join(strip_tags(asked.content.decode()).split())
    assert f"This form was saved already , as Call · {first.name}." in text.replace("already,", "already ,")
    values = read_form(asked, form_id="record-form")
    assert (values["subject__v"], values["form_token"] == typed["form_token"]) == (["Another call"], False)
    assert Activity.objects.count() == 1
    answers = [client.post(CREATE, fill(values, typed={})) for _ in range(2)]
    assert [each.status_code for each in answers] == [302, 302]
    assert sorted(Activity.objects.values_list("subject", flat=True)) == ["Another call", "Call"]


@pytest.mark.usefixtures("user")
def test_a_record_that_was_deleted_since_is_not_revived_by_its_form(client: Client) -> None:
    typed = log_call(client)
    client.post(CREATE, typed)
    first = Activity.objects.get()
    delete_record(record=first, actor=build_admin_actor())

    asked = client.post(CREATE, typed)

    assert "What this form saved is not there any more" in asked.content.decode()
    assert not Activity.objects.exists()
    client.post(CREATE, fill(read_form(asked, form_id="record-form"), typed={}))
    assert Activity.objects.get().uid != first.uid


@pytest.mark.parametrize("url", [CREATE, QUICK])
@pytest.mark.usefixtures("user")
def test_quick_log_and_dialogs_are_told_of_the_record_that_exists(client: Client, url: str) -> None:
    form_id = "quick-form" if url == QUICK else "record-form"
    typed = log_call(client) if url == CREATE else {}
    if url == QUICK:
        typed = open_form(client, url, form_id=form_id, person__v__text=PersonFactory.create().email)
        typed |= {"channel__v": "phone__v"}

    first, second = (client.post(url, typed, headers=JSON) for _ in range(2))

    assert (first.status_code, second.status_code, Activity.objects.count()) == (201, 200, 1)
    assert second.json()["uid"] == first.json()["uid"]
    assert second.json()["message"]["text"] == "Activity had been created already, and not again:"


@pytest.mark.usefixtures("user")
def test_what_is_created_in_place_is_created_once(client: Client) -> None:
    url = "/records/person__sys/create/?in_place=1"
    typed = open_form(client, url, form_id="place-form", last_name__sys="Berg")

    answers = [client.post(url, typed, headers=JSON) for _ in range(2)]

    assert [each.json()["uid"] for each in answers] == [str(Person.objects.get().uid)] * 2


@pytest.mark.usefixtures("user")
def test_a_clone_is_created_once(client: Client) -> None:
    original = ActivityFactory.create()
    url = f"/records/crm_activity__v/{original.uid}/clone/"
    typed = open_form(client, url)

    assert [client.post(url, typed).status_code for _ in range(2)] == [302, 302]
    assert Activity.objects.count() == 2


@pytest.mark.usefixtures("user")
def test_several_records_and_their_children_are_created_once(client: Client) -> None:
    site = StudySiteFactory.create(name="0101")
    other = StudySiteFactory.create(name="0102", study_country=site.study_country)
    people = [StudyPersonFactory.create(study=site.study, site=each).person for each in (site, other)]
    url = f"/records/study_communication_log__ctms/create/?object_type__v={CommunicationType.EMAIL}"
    typed = open_form(client, url, subject__v="Amendment", date__v="2026-03-02")
    typed |= {"site__v": [site.uid, other.uid], "contacts": [each.uid for each in people]}

    first, second = (client.post(url, typed) for _ in range(2))

    assert (first.status_code, second.status_code) == (302, 302)
    assert (first.headers["Location"], StudyCommunicationLog.objects.count()) == (second.headers["Location"], 2)
    asked = client.post(url, typed | {"contacts": [people[0].uid], "site__v": [site.uid]})
    assert (asked.status_code, len(asked.context["made"]), StudyCommunicationLog.objects.count()) == (200, 2, 2)


def test_the_token_of_another_user_or_another_form_is_nothing(client: Client, user: User) -> None:
    typed = log_call(client)
    assert client.post(CREATE, typed).status_code == 302
    clone = f"/records/crm_activity__v/{Activity.objects.get().uid}/clone/"

    client.force_login(UserFactory.create(is_superuser=True))
    assert client.post(CREATE, typed).status_code == 302
    client.force_login(user)
    assert client.post(clone, typed).status_code == 302
    for token in ("", "nonsense", str(Activity.objects.first().uid)):  # type: ignore[union-attr]
        assert client.post(CREATE, typed | {"form_token": token}).status_code == 302

    assert Activity.objects.count() == 6


@pytest.mark.usefixtures("user")
def test_a_form_with_errors_keeps_its_token(client: Client) -> None:
    typed = log_call(client)

    answer = client.post(CREATE, typed | {"channel__v": ""})

    assert read_form(answer, form_id="record-form")["form_token"] == typed["form_token"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_databases
def test_of_two_requests_at_the_same_moment_one_creates_the_record(client: Client) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    typed = log_call(client)
    together = threading.Barrier(2)
    answers: list[Any] = []

    def press() -> None:
        browser = Client()
        browser.force_login(user)
        together.wait()
        answers.append(browser.post(CREATE, typed))
        connection.close()

    presses = [threading.Thread(target=press) for _ in range(2)]
    for each in presses:
        each.start()
    for each in presses:
        each.join()

    assert [each.status_code for each in answers] == [302, 302]
    assert answers[0].headers["Location"] == answers[1].headers["Location"]
    assert Activity.objects.count() == 1
