"""Records are created with a form."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activities.choices import ActivityType, Channel
from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.core.choices import RecordStatus
from ctms.core.models import SAME_NUMBERS
from tests.admin_forms import list_messages, read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.clinical import (
    PersonFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record
from tests.records.forms.record_form_steps import (
    CREATE,
    DOES_NOT_FIT,
    FORM,
    NOBODY,
    address,
    build_url,
    list_chosen,
    list_errors,
    list_places,
    submit,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


# -- Creating ------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("stopped_clock")
def test_the_form_of_an_activity_has_the_sections_of_its_layout(client: Client, user: User) -> None:
    answer = client.get(CREATE)

    assert list_places(answer) == {
        "Activity Details": {
            "Object type": "Clinical Activity",
            "Person": "person__v",
            "Date": "date__v",
            "Channel": "channel__v",
            "Complete": "complete__v",
            "Subject": "subject__v",
            "Notes": "notes__v",
            "Owner": "ownerid__v",
            "From": "Carla Craig (carla@x.example)",
        },
        "Study Details": {
            "Site": "site__v",
            "Study person": "study_person__v",
            "Study country": "study_country__v",
            "Study": "study__v",
        },
        "What comes next": {"Next step": "next_step", "On": "next_step_day", "What is to be done": "next_step_text"},
    }
    assert read_form(answer, form_id=FORM)["date__v"] == [timezone.localdate().isoformat()]


def test_today_is_that_of_the_users_time_zone(client: Client, user: User, time_machine: Any) -> None:
    user.time_zone = "Pacific/Auckland"
    user.save()
    time_machine.move_to(dt.datetime(2026, 3, 1, 22, 0, tzinfo=dt.UTC), tick=False)
    client.force_login(user)

    assert read_form(client.get(CREATE), form_id=FORM)["date__v"] == ["2026-03-02"]


@pytest.mark.parametrize("channel", Channel.values)
@pytest.mark.parametrize(("date", "complete"), [("2020-01-31", True), ("2040-12-31", False)])
def test_an_activity_is_logged_with_who_logged_it(
    client: Client, user: User, channel: str, date: str, complete: bool
) -> None:
    person = PersonFactory.create()
    typed = {"complete__v": "on" if complete else None}

    answer = submit(client, CREATE, person__v=person, date__v=date, channel__v=channel, **typed)

    activity = Activity.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, address(activity))
    assert (activity.object_type, activity.person, str(activity.date), activity.channel, activity.complete) == (
        ActivityType.CLINICAL,
        person,
        date,
        channel,
        complete,
    )
    assert (activity.from_text, activity.created_by) == ("Carla Craig (carla@x.example)", user)
    [message] = list_messages(client.get("/"))
    assert message.startswith(f'Activity created: <a href="{address(activity)}">{tell_new(activity)}</a> <button ')


def test_from_cannot_be_typed(client: Client, user: User) -> None:
    submit(client, CREATE, person__v=PersonFactory.create(), channel__v="phone__v", from__v="Somebody Else")

    assert Activity.objects.get().from_text == "Carla Craig (carla@x.example)"


def test_the_parent_and_what_follows_from_it_are_filled_in(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité")

    answer = client.get(build_url(CREATE, site__v=site.uid))

    assert list_chosen(answer, "site__v", "study_country__v", "study__v", "study_person__v") == {
        "site__v": "0142 · Charité",
        "study_country__v": "Germany",
        "study__v": f"{site.study.name} · {site.study.study_name}",
        "study_person__v": "",
    }
    assert answer.context["back_url"] == address(site)


def test_a_study_person_fills_the_person_and_the_site(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    study_person = StudyPersonFactory.create(site=site)

    answer = submit(client, build_url(CREATE, study_person__v=study_person.uid), channel__v="email__v")

    assert answer.status_code == 302
    activity = Activity.objects.get()
    assert (activity.study_person, activity.person, activity.site, activity.study_country, activity.study) == (
        study_person,
        study_person.person,
        site,
        site.study_country,
        study_person.study,
    )


def test_any_field_can_be_filled_in_by_the_address(client: Client, user: User) -> None:
    url = build_url(CREATE, subject__v="Call", complete__v="yes", channel__v="Phone", date__v="31/03/2026")

    values = read_form(client.get(url), form_id=FORM)

    assert {name: values[name] for name in ("subject__v", "complete__v", "channel__v", "date__v")} == {
        "subject__v": ["Call"],
        "complete__v": ["on"],
        "channel__v": ["phone__v"],
        "date__v": ["2026-03-31"],
    }


def test_what_of_the_address_cannot_be_filled_in_is_said(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="", status=RecordStatus.INACTIVE)

    answer = client.get(build_url(CREATE, site__v=site.uid, date__v="soon", nonsense__v="1"))

    assert answer.context["problems"] == [
        f"Site: {DOES_NOT_FIT}",
        "Date: This is no date. Write it as 2026-03-31 or 31 Mar 2026.",
    ]


def test_without_javascript_references_are_named_in_words(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142")
    StudySiteFactory.create(name="0142")
    person = PersonFactory.create(email="berg@x.example")

    answer = submit(
        client,
        CREATE,
        person__v__text="BERG@x.example",
        site__v__text="0142",
        study__v__text=site.study.name,
        channel__v="phone__v",
    )

    assert answer.status_code == 302
    activity = Activity.objects.get()
    assert (activity.person, activity.site, activity.study_country) == (person, site, site.study_country)


def test_a_typed_external_id_that_looks_like_a_uid_limits_what_is_typed_beside_it(client: Client, user: User) -> None:
    key = "8C1F0D3E-0B6A-4D1B-9C55-0A5D6E7F8A9B"
    site = StudySiteFactory.create(name="0142", study_country__study__external_id=key)
    StudySiteFactory.create(name="0142")

    answer = submit(
        client,
        CREATE,
        person__v__text=PersonFactory.create().email,
        site__v__text="0142",
        study__v__text=key,
        channel__v="phone__v",
    )

    assert answer.status_code == 302, list_errors(answer)
    assert Activity.objects.get().site == site


def test_a_text_typed_over_what_was_chosen_counts(client: Client, user: User) -> None:
    person = PersonFactory.create(email="new@x.example")
    activity = ActivityFactory.create()

    submit(client, address(activity, "edit/"), person__v__text="new@x.example")
    assert Activity.objects.get().person == person

    answer = submit(client, address(activity, "edit/"), person__v__text="")
    assert list_errors(answer) == {"person__v": ["Choose a person from the list, or type the exact name."]}


@pytest.mark.parametrize("object_name", OBJECTS)
def test_a_new_record_is_not_asked_for_its_status_and_a_stored_one_is(
    client: Client, user: User, object_name: str
) -> None:
    record = create_record(object_name)
    query = f"?object_type={record.object_type}" if getattr(record, "object_type", "") else ""
    for page, is_asked in (
        (f"create/{query}", False),
        (f"{record.uid}/clone/", False),
        (f"{record.uid}/edit/", True),
    ):
        answer = client.get(f"/records/{object_name}/{page}")
        assert answer.status_code == 200, page
        assert ('name="status__v"' in answer.content.decode()) is is_asked, page


def test_what_is_wrong_stands_beside_its_field_and_everything_typed_is_kept(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="Charité")

    answer = submit(
        client,
        CREATE,
        person__v__text="Nobody",
        date__v="31/02/2026",
        channel__v="",
        complete__v="on",
        subject__v="Call",
        notes__v="Two\r\nlines",
        site__v=site,
    )

    assert list_errors(answer) == {
        "person__v": [NOBODY],
        "date__v": ["This is no date. Write it as 2026-03-31 or 31 Mar 2026."],
        "channel__v": ["Choose one of In person, Video, Phone, Chat/Text, Email, Other."],
    }
    values = read_form(answer, form_id=FORM)
    assert {name: text for name, (text,) in values.items() if name not in ("csrfmiddlewaretoken", "form_token")} == {
        "shown_type": "clinical_activity__v",
        "shown_fields": "person__v date__v channel__v complete__v subject__v notes__v ownerid__v site__v "
        "study_person__v study_country__v study__v",
        "person__v__text": "Nobody",
        "date__v": "31/02/2026",
        "complete__v": "on",
        "subject__v": "Call",
        "notes__v": "Two\r\nlines",
        "next_step": "",
        "next_step_day": "",
        "next_step_text": "",
        "channel__v": "",
        "ownerid__v": "",
        "ownerid__v__shown": "",
        "ownerid__v__text": "",
        "site__v": str(site.uid),
        "site__v__shown": "0142 · Charité",
        "site__v__text": "0142 · Charité",
        "study_person__v": "",
        "study_person__v__shown": "",
        "study_person__v__text": "",
        "study_country__v": "",
        "study_country__v__shown": "",
        "study_country__v__text": "",
        "study__v": "",
        "study__v__shown": "",
        "study__v__text": "",
    }
    assert "data-dirty" in answer.content.decode()
    assert '<a href="#id_person__v">Person</a>' in answer.content.decode()


def test_a_site_of_another_study_is_refused_with_the_field_named(client: Client, user: User) -> None:
    site, study = StudySiteFactory.create(name="0142", site_name=""), StudyFactory.create()

    answer = submit(
        client, CREATE, person__v=PersonFactory.create(), channel__v="phone__v", site__v=site, study__v=study
    )

    assert list_errors(answer) == {"site__v": [DOES_NOT_FIT]}


def test_what_the_record_itself_refuses_stands_beside_the_field(client: Client, user: User) -> None:
    StudyFactory.create(name="ONC-1")

    answer = submit(client, "/records/study__v/create/", name__v="ONC-1", planned_start_date__v="2026-02-01")
    assert list_errors(answer) == {"__all__": [f"A study of this number exists. {SAME_NUMBERS}"]}

    answer = submit(
        client,
        "/records/study__v/create/",
        name__v="ONC-2",
        planned_start_date__v="2026-02-01",
        planned_end_date__v="2026-01-01",
    )
    assert list_errors(answer) == {"planned_end_date__v": ["The end (2026-01-01) lies before the start (2026-02-01)."]}
