"""What a form does for whoever fills it in: questions, the cursor, what was typed elsewhere, and what is kept."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from activities.models import Activity
from ctms.audit.services import save_record
from ctms.clinical.typed_references import read_person, read_site, read_study
from tests.admin_forms import fill, list_focused, read_form
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory, StudyFactory

pytestmark = pytest.mark.django_db

CREATE = "/records/crm_activity__v/create/"
FORM = "record-form"


@pytest.fixture(autouse=True)
def user(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))


def log_call(client: Client, **typed: Any) -> Any:
    given = {"person__v__text": PersonFactory.create().email, "channel__v": "phone__v", **typed}
    return client.post(CREATE, fill(read_form(client.get(CREATE), form_id=FORM), typed=given))


# -- Questions -----------------------------------------------------------------------------------------------------


def test_an_unusual_date_is_asked_about_and_saved_once_it_is_confirmed(client: Client) -> None:
    asked = log_call(client, date__v="2099-01-01", subject__v="Far away")

    assert (asked.status_code, [each.text for each in asked.context["form"].questions]) == (
        200,
        ["1 Jan 2099 is a long time from now. Is it right?"],
    )
    assert (list_focused(asked), Activity.objects.count()) == (["confirmed"], 0)
    values = read_form(asked, form_id=FORM)
    assert "confirmed" not in values
    again = client.post(CREATE, fill(values, typed={}))
    [question] = again.context["form"].questions
    wrong = client.post(CREATE, fill(values, typed={"confirmed": question.key, "channel__v": ""}))
    assert list(wrong.context["form"].errors) == ["channel__v"]
    saved = client.post(CREATE, fill(read_form(wrong, form_id=FORM), typed={"channel__v": "email__v"}))
    assert (saved.status_code, str(Activity.objects.get().date)) == (302, "2099-01-01")


@pytest.mark.usefixtures("stopped_clock")
def test_an_activity_that_is_complete_tomorrow_is_asked_about(client: Client) -> None:
    tomorrow = timezone.localdate() + dt.timedelta(days=1)

    asked = log_call(client, date__v=tomorrow.isoformat(), complete__v="on")

    [question] = asked.context["form"].questions
    assert question.text.endswith("is still to come. Is the activity complete already?")
    saved = client.post(CREATE, fill(read_form(asked, form_id=FORM), typed={"confirmed": question.key}))
    assert (saved.status_code, Activity.objects.get().complete) == (302, True)


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("htmx", [True, False])
def test_the_question_about_a_field_stands_where_another_is_changed_in_place(client: Client, *, htmx: bool) -> None:
    activity = ActivityFactory.create(date=timezone.localdate() + dt.timedelta(days=1), complete=False)
    url = f"/records/crm_activity__v/{activity.uid}/fields/complete__v/"
    headers = {"HX-Request": "true"} if htmx else {}
    typed: dict[str, Any] = {"complete__v": "on", "expected_version": 1}

    asked = client.post(url, typed, headers=headers)

    [question] = asked.context["form"].questions
    assert f'value="{question.key}"' in asked.content.decode()
    client.post(url, typed | {"confirmed": question.key}, headers=headers)
    activity.refresh_from_db()
    assert activity.complete


def test_an_edit_is_asked_about_too(client: Client) -> None:
    activity = ActivityFactory.create(complete=False)
    url = f"/records/crm_activity__v/{activity.uid}/edit/"
    asked = client.post(url, fill(read_form(client.get(url), form_id=FORM), typed={"date__v": "1900-01-01"}))

    [question] = asked.context["form"].questions
    saved = client.post(url, fill(read_form(asked, form_id=FORM), typed={"confirmed": question.key}))

    activity.refresh_from_db()
    assert (saved.status_code, str(activity.date)) == (302, "1900-01-01")


def test_a_year_of_two_digits_is_refused_with_the_remedy(client: Client) -> None:
    answer = log_call(client, date__v="0026-03-01")

    assert dict(answer.context["form"].errors) == {
        "date__v": ["The year is 0026. Type it with four digits, such as 2026."]
    }
    assert list_focused(answer) == ["date__v"]


# -- The cursor ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "focus"),
    [
        ({"person__v__text": "Nobody", "channel__v": ""}, "person__v__text"),
        ({"channel__v": ""}, "channel__v"),
        ({"date__v": "soon"}, "date__v"),
    ],
)
def test_the_cursor_stands_in_the_first_field_that_is_wrong(client: Client, typed: dict[str, str], focus: str) -> None:
    assert list_focused(client.get(CREATE)) == ["person__v__text"]

    answer = log_call(client, **typed)

    assert list_focused(answer) == [focus]


def test_what_the_record_refuses_has_the_cursor_as_well(client: Client) -> None:
    study = StudyFactory.create()
    url = f"/records/study__v/{study.uid}/edit/"
    typed = {"planned_start_date__v": "2026-02-01", "planned_end_date__v": "2026-01-01"}

    answer = client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=typed))

    assert list_focused(answer) == ["planned_end_date__v"]
    assert list_focused(client.get(url)) == []


def test_the_page_of_one_field_begins_in_it(client: Client) -> None:
    activity = ActivityFactory.create()
    url = f"/records/crm_activity__v/{activity.uid}/fields/date__v/"

    assert list_focused(client.get(url)) == ["date__v"]
    assert list_focused(client.post(url, {"date__v": "soon", "expected_version": 1})) == ["date__v"]
    assert list_focused(client.get(url, headers={"HX-Request": "true"})) == []


def test_a_conflict_begins_at_the_first_field_to_choose(client: Client) -> None:
    activity = ActivityFactory.create(subject="Call", notes="")
    url = f"/records/crm_activity__v/{activity.uid}/edit/"
    typed = fill(read_form(client.get(url), form_id=FORM), typed={"subject__v": "Mine", "notes__v": "Typed"})
    activity.subject = "Theirs"
    save_record(record=activity, actor=build_admin_actor())

    assert list_focused(client.post(url, typed)) == ["choose__subject__v"]


def test_every_error_of_the_summary_leads_to_an_element_of_the_page(client: Client) -> None:
    url = "/records/crm_activity__v/quick/"

    typed = {"date__v": "", "channel__v": ""}
    answer = client.post(url, fill(read_form(client.get(url), form_id="quick-form"), typed=typed))

    page = answer.content.decode()
    targets = re.findall(r'<a href="#([^"]+)">', page)
    assert len(targets) == 3
    assert [f'id="{each}"' in page for each in targets] == [True] * 3


# -- What was typed into a reference -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("Zoë O'Connor-Łukasz", {"first_name__sys": "Zoë", "last_name__sys": "O'Connor-Łukasz"}),
        ("Jan van der Berg", {"first_name__sys": "Jan", "last_name__sys": "van der Berg"}),
        ("Berg, Hannah Maria", {"first_name__sys": "Hannah Maria", "last_name__sys": "Berg"}),
        ("Berg", {"last_name__sys": "Berg"}),
        ("anna@x.example", {"email__sys": "anna@x.example"}),
        (
            "Anna Berg (anna@x.example)",
            {"first_name__sys": "Anna", "last_name__sys": "Berg", "email__sys": "anna@x.example"},
        ),
    ],
)
def test_what_was_typed_is_read_as_a_person(typed: str, taken: dict[str, str]) -> None:
    assert read_person(typed) == taken


def test_what_was_typed_is_read_as_a_study_or_a_site() -> None:
    assert read_study("ONC-301") == {"name__v": "ONC-301"}
    assert read_study("Lung cancer") == {"study_name__v": "Lung cancer"}
    assert read_site("0142") == {"name__v": "0142"}
    assert read_site("0142 · Charité Berlin") == {"name__v": "0142", "site_name__v": "Charité Berlin"}
    assert read_site("Charité Berlin") == {"site_name__v": "Charité Berlin"}


@pytest.mark.parametrize(
    ("object_name", "typed", "expected"),
    [
        ("person__sys", "Zoë O'Connor-Łukasz", {"first_name__sys": "Zoë", "last_name__sys": "O'Connor-Łukasz"}),
        ("study__v", "ONC-301", {"name__v": "ONC-301", "study_name__v": ""}),
        ("site__v", "0142 Charité", {"name__v": "0142", "site_name__v": "Charité"}),
        ("study_country__v", "DE", {"country__v": "DE"}),
        ("study_person__clin", "Nobody known", {"person__clin__text": "Nobody known", "person__clin": ""}),
    ],
)
def test_the_form_in_place_takes_over_what_was_typed(
    client: Client, object_name: str, typed: str, expected: dict[str, str]
) -> None:
    answer = client.get(f"/records/{object_name}/create/", {"in_place": "1", "typed": typed})

    values = read_form(answer, form_id="place-form")
    assert {name: values[name] for name in expected} == {name: [text] for name, text in expected.items()}
    assert answer.context["problems"] == []
