"""R8: two users save the same record; the second is shown both versions, and nothing is overwritten."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import delete_record, save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from tests.admin_forms import fill, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyAssignmentFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

FORM, CONFLICT = "record-form", "conflict-form"


@pytest.fixture
def first() -> User:
    return UserFactory.create(first_name="Jonas", last_name="Weber", is_superuser=True)


@pytest.fixture
def second(client: Client) -> Client:
    """The client of the second user."""
    user = UserFactory.create(first_name="Carla", last_name="Craig", is_superuser=True)
    client.force_login(user)
    return client


@pytest.fixture
def activity() -> Activity:
    return ActivityFactory.create(subject="Call", notes="", date=dt.date(2026, 3, 2), complete=False)


def address(record: Any, page: str = "edit/") -> str:
    return f"/records/{record.object_name}/{record.uid}/{page}"


def open_form(client: Client, record: Any) -> dict[str, list[str]]:
    return read_form(client.get(address(record)), form_id=FORM)


def change(record: Any, user: User, **values: Any) -> None:
    """Save values as the user, in another request."""
    stored = type(record).objects.get(pk=record.pk)
    for name, value in values.items():
        setattr(stored, name, value)
    save_record(record=stored, actor=Actor(user=user, source="page"))


def list_rows(answer: Any) -> list[tuple[str, str, str, str]]:
    assert answer.status_code == 200
    return [(row.label, row.yours, row.theirs, row.choice) for row in answer.context["conflict"].rows]


def save(client: Client, record: Any, values: dict[str, list[str]], **typed: Any) -> Any:
    return client.post(address(record), fill(values, typed=typed))


def choose(client: Client, record: Any, answer: Any, **choices: str) -> Any:
    typed = {f"choose__{name}": choice for name, choice in choices.items()}
    return client.post(address(record), fill(read_form(answer, form_id=CONFLICT), typed=typed))


def read(activity: Activity) -> tuple[str, str, bool, int]:
    activity.refresh_from_db()
    return activity.subject, activity.notes, activity.complete, activity.version


def test_the_second_is_shown_both_versions_and_nothing_is_overwritten(
    second: Client, first: User, activity: Activity
) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call", complete=True)

    answer = save(second, activity, opened, subject__v="My call", notes__v="Typed for an hour")

    assert list_rows(answer) == [
        ("Complete", "No", "Yes", "theirs"),  # only they changed it
        ("Subject", "My call", "Their call", ""),  # both did
        ("Notes", "Typed for an hour", "", "yours"),  # only I did
    ]
    assert (answer.context["conflict"].by, read(activity)) == ("Jonas Weber", ("Their call", "", True, 2))


@pytest.mark.parametrize(("choice", "subject"), [("yours", "My call"), ("theirs", "Their call")])
def test_what_is_chosen_field_by_field_is_saved_over_the_new_version(
    second: Client, first: User, activity: Activity, choice: str, subject: str
) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call", complete=True)
    answer = save(second, activity, opened, subject__v="My call", notes__v="Typed for an hour")

    answer = choose(second, activity, answer, subject__v=choice)

    assert (answer.status_code, answer.headers["Location"]) == (302, address(activity, ""))
    assert read(activity) == (subject, "Typed for an hour", True, 3)


def test_what_both_changed_has_to_be_chosen(second: Client, first: User, activity: Activity) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call")
    answer = save(second, activity, opened, subject__v="My call", notes__v="Typed")

    answer = choose(second, activity, answer)

    assert list_rows(answer) == [("Subject", "My call", "Their call", ""), ("Notes", "Typed", "", "yours")]
    assert [row.problem for row in answer.context["conflict"].rows] == ["Choose one of the two.", ""]
    assert read(activity) == ("Their call", "", False, 2)
    assert choose(second, activity, answer, subject__v="yours").status_code == 302
    assert read(activity) == ("My call", "Typed", False, 3)


def test_who_typed_the_same_has_nothing_to_choose_and_is_told_that_it_is_saved(
    second: Client, first: User, activity: Activity
) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="The call")

    answer = save(second, activity, opened, subject__v="The call")

    assert (answer.status_code, answer.headers["Location"]) == (302, address(activity, ""))
    assert read(activity) == ("The call", "", False, 2)


def test_a_form_that_is_sent_again_after_a_lost_answer_meets_nobody(second: Client, activity: Activity) -> None:
    opened = open_form(second, activity)

    for _ in range(2):
        answer = save(second, activity, opened, subject__v="The call")
        assert (answer.status_code, answer.headers["Location"]) == (302, address(activity, ""))
    assert read(activity) == ("The call", "", False, 2)


def test_a_field_that_the_form_did_not_hold_is_none_to_choose(second: Client, first: User, activity: Activity) -> None:
    opened = open_form(second, activity)
    del opened["notes__v"]
    opened["shown_fields"] = ["subject__v"]
    change(activity, first, subject="Theirs", notes="Important", complete=True)
    answer = save(second, activity, opened, subject__v="Mine")
    assert list_rows(answer) == [("Subject", "Mine", "Theirs", "")]
    choose(second, activity, answer, subject__v="theirs")
    assert read(activity)[:3] == ("Theirs", "Important", True)


def test_somebody_who_saves_again_while_versions_are_compared_is_asked_about_again(
    second: Client, first: User, activity: Activity
) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call")
    answer = save(second, activity, opened, subject__v="My call", notes__v="Typed")
    change(activity, first, subject="Their last call", complete=True)

    answer = choose(second, activity, answer, subject__v="yours")

    assert list_rows(answer) == [
        ("Complete", "No", "Yes", ""),
        ("Subject", "My call", "Their last call", ""),
        ("Notes", "Typed", "", "yours"),
    ]
    assert read(activity) == ("Their last call", "", True, 3)
    assert choose(second, activity, answer, subject__v="yours", complete__v="theirs").status_code == 302
    assert read(activity) == ("My call", "Typed", True, 4)


def test_several_saves_in_between_count_as_one(second: Client, first: User, activity: Activity) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call", complete=True)
    change(activity, first, subject="Call", notes="Theirs")

    answer = save(second, activity, opened, subject__v="My call")

    # They put the subject back: only I changed it.
    assert list_rows(answer) == [
        ("Complete", "No", "Yes", "theirs"),
        ("Subject", "My call", "Call", "yours"),
        ("Notes", "", "Theirs", "theirs"),
    ]


def test_references_picklists_and_dates_are_compared_by_what_they_mean(
    second: Client, first: User, activity: Activity
) -> None:
    site, theirs = StudySiteFactory.create(name="0001"), StudySiteFactory.create(name="0002")
    person = PersonFactory.create(first_name="Hannah", last_name="Berg", email="")
    opened = open_form(second, activity)
    change(activity, first, site=theirs, channel=Channel.VIDEO, date=dt.date(2026, 3, 31))

    answer = save(
        second,
        activity,
        opened,
        site__v__text=site.name,
        study__v__text=site.study.name,
        person__v__text="Hannah Berg",
    )

    assert list_rows(answer) == [
        ("Person", "Hannah Berg", str(activity.person), "yours"),
        ("Date", "2 Mar 2026", "31 Mar 2026", "theirs"),
        ("Channel", "Phone", "Video", "theirs"),
        ("Site", "0001", "0002", ""),
        ("Study country", "", "Germany", "theirs"),
        ("Study", site.study.name, theirs.study.name, ""),
    ]
    answer = choose(second, activity, answer, site__v="theirs", study__v="theirs")
    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.person, activity.site, activity.date, activity.channel) == (
        person,
        theirs,
        dt.date(2026, 3, 31),
        Channel.VIDEO,
    )


def test_choices_that_do_not_fit_together_lead_back_to_the_form_with_them(
    second: Client, first: User, activity: Activity
) -> None:
    site, theirs = StudySiteFactory.create(name="0001", site_name=""), StudySiteFactory.create(name="0002")
    opened = open_form(second, activity)
    change(activity, first, site=theirs)
    answer = save(second, activity, opened, site__v__text=site.name, study__v__text=site.study.name, notes__v="Typed")

    answer = choose(second, activity, answer, site__v="yours", study__v="theirs")

    assert answer.status_code == 200
    values = read_form(answer, form_id=FORM)
    assert {name: values[name] for name in ("site__v", "site__v__text", "notes__v", "expected_version")} == {
        "site__v": [""],
        "site__v__text": ["0001"],
        "notes__v": ["Typed"],
        "expected_version": ["2"],
    }
    assert list(answer.context["form"].errors) == ["site__v"]


@pytest.mark.parametrize(
    "case",
    [
        {"kind": "text", "before": "calm", "theirs": "glad", "yours": "sad", "shown": ["sad", "glad", ""]},
        {"kind": "number", "before": 1, "theirs": 2.5, "yours": "3", "shown": ["3", "2.5", ""]},
        {
            "kind": "date",
            "before": "2026-03-02",
            "theirs": "2026-03-03",
            "yours": "2026-03-04",
            "shown": ["4 Mar 2026", "3 Mar 2026", ""],
        },
        {"kind": "yes_no", "before": None, "theirs": None, "yours": "on", "shown": ["Yes", "", "yours"]},
    ],
    ids=lambda case: case["kind"],
)
def test_custom_fields_are_compared_too(second: Client, first: User, case: dict[str, Any]) -> None:
    custom_field = CustomField(of_object="crm_activity__v", label="Mood", api_name="mood__c", kind=case["kind"])
    create_custom_field(field=custom_field, actor=build_admin_actor(), add_to_layouts=True)
    activity = ActivityFactory.create(custom_fields=build_mood(case["before"]))
    opened = open_form(second, activity)
    change(activity, first, custom_fields=build_mood(case["theirs"]), subject="Theirs")

    answer = save(second, activity, opened, mood__c=case["yours"])

    assert {label: rest for label, *rest in list_rows(answer)}["Mood"] == case["shown"]
    assert choose(second, activity, answer, mood__c="yours").status_code == 302
    activity.refresh_from_db()
    stored = "True" if case["kind"] == "yes_no" else case["yours"]
    assert (activity.subject, str(activity.custom_fields["mood__c"])) == ("Theirs", stored)


def build_mood(value: Any) -> dict[str, Any]:
    return {"mood__c": value} if value else {}


def test_errors_come_before_the_conflict_and_hide_it_not(second: Client, first: User, activity: Activity) -> None:
    opened = open_form(second, activity)
    change(activity, first, subject="Their call")

    answer = save(second, activity, opened, subject__v="My call", channel__v="")

    assert answer.status_code == 200
    answer = save(second, activity, read_form(answer, form_id=FORM), channel__v="phone__v")
    assert list_rows(answer) == [("Subject", "My call", "Their call", "")]
    assert read(activity) == ("Their call", "", False, 2)


def test_what_was_typed_for_a_record_that_was_deleted_can_be_saved_as_a_new_one(
    second: Client, first: User, activity: Activity
) -> None:
    opened = open_form(second, activity)
    delete_record(record=activity, actor=Actor(user=first, source="page"))

    answer = save(second, activity, opened, subject__v="My call", complete__v="on", channel__v="email__v")

    assert answer.status_code == 200
    values = read_form(answer, form_id=FORM)
    assert (values["subject__v"], values["complete__v"], values["person__v"]) == (
        ["My call"],
        ["on"],
        [str(activity.person.uid)],
    )
    assert 'action="/records/crm_activity__v/create/?object_type__v=clinical_activity__v"' in answer.content.decode()
    answer = second.post(answer.context["action"], fill(values, typed={}))
    new = Activity.objects.get()
    assert (answer.status_code, new.uid == activity.uid, new.subject, new.person) == (
        302,
        False,
        "My call",
        activity.person,
    )


def test_what_was_typed_is_shown_though_it_cannot_be_saved(client: Client) -> None:
    site = StudySiteFactory.create()
    profile = SecurityProfileFactory.create(permissions=["site__v:read", "site__v:edit", "study__v:read"])
    user = UserFactory.create(security_profile=profile)
    assignment = StudyAssignmentFactory.create(user=user, study=site.study)
    client.force_login(user)
    opened = open_form(client, site)
    delete_record(record=assignment, actor=build_admin_actor())

    answer = save(client, site, opened, city__v="Berlin")

    page = answer.content.decode()
    assert (answer.status_code, read_form(answer, form_id=FORM)["city__v"]) == (200, ["Berlin"])
    assert ("does not allow you to create study site records" in page, ">Save</button>" in page) == (True, False)
    site.refresh_from_db()
    assert (site.city, site.version) == ("", 1)


def test_a_record_that_is_not_there_has_no_form(second: Client) -> None:
    assert second.get("/records/study__v/00000000-0000-0000-0000-000000000000/edit/").status_code == 404
