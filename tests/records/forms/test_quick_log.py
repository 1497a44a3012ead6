"""Logging an activity in seconds: eight fields, on a page of its own or in a dialog over any page."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.formats import date_format

from activities.choices import ActivityType
from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.clinical.models import StudyPerson
from ctms.configuration.models import ObjectType
from ctms.configuration.services import FieldDecision, decide_fields
from ctms.core.choices import RecordStatus
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, ActivityTemplateFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    MonitoringEventParticipantFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
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


# -- What the page gives ------------------------------------------------------------------------------------------
def open_from(client: Client, record: Any) -> Any:
    return client.get(f"{QUICK}?from={record.object_name}:{record.uid}")


def list_filled(answer: Any) -> dict[str, Any]:
    """What the references of the form hold, by name."""
    initial = answer.context["form"].initial
    return {name: initial[name] for name in ("person__v", "site__v", "study__v") if initial.get(name)}


@pytest.fixture
def role() -> StudyPerson:
    return StudyPersonFactory.create()


def test_every_page_names_its_record_in_the_link(client: Client, user: User) -> None:
    site = StudySiteFactory.create()

    frame = client.get(f"/records/site__v/{site.uid}/").context["frame"]

    assert frame.quick_log.url == f"{QUICK}?from=site__v:{site.uid}"
    assert [(each.label, "data-focus" in each.html) for each in frame.quick_log.inputs] == [
        ("Person", True),
        ("Subject", False),
    ]


def test_person_site_and_study_of_the_page_are_taken_over(client: Client, user: User, role: StudyPerson) -> None:
    person, site, study = role.person, role.site, role.study
    event = MonitoringEventFactory.create(site=site)
    activity = ActivityFactory.create(person=person, site=site, study=study)
    place = {"site__v": site, "study__v": study}

    cases: list[tuple[Any, dict[str, Any]]] = [
        (role, {"person__v": [person], **place}),
        (person, {"person__v": [person]}),
        (site, place),
        (study, {"study__v": study}),
        (event, place),
        (activity, {"person__v": [person], **place}),
    ]
    for record, filled in cases:
        answer = open_from(client, record)
        assert list_filled(answer) == filled, record
        assert answer.context["back_url"] == f"/records/{record.object_name}/{record.uid}/"


def test_a_visit_is_taken_over_where_activities_have_it(client: Client, user: User) -> None:
    assign("monitoring_event__v")
    event = MonitoringEventFactory.create()
    participant = MonitoringEventParticipantFactory.create(monitoring_event=event)

    answer = open_from(client, event)
    assert answer.context["form"].initial["monitoring_event__v"] == event

    found = look_up(client, monitoring_event__v=event.uid)["results"]
    assert found[0]["uid"] == str(participant.person.uid)


def assign(name: str) -> None:
    object_type = ObjectType.objects.get(of_object="crm_activity__v", api_name=ActivityType.CLINICAL)
    decide_fields(
        object_type=object_type,
        decisions={name: FieldDecision(is_assigned=True, is_required=False)},
        actor=build_admin_actor(),
    )


@pytest.mark.parametrize(
    "text",
    ["", "site__v", "site__v:nothing", "nothing:2", "site__v:6602064d-8dfb-4320-b9d4-af3bdaa4e0ff", "user:1\x00"],
)
def test_a_page_that_names_no_record_gives_nothing(client: Client, user: User, text: str) -> None:
    answer = client.get(QUICK, {"from": text})

    assert (answer.status_code, list_filled(answer)) == (200, {})


def test_a_page_that_the_user_may_not_see_gives_nothing(client: Client) -> None:
    """Neither the record nor, in the suggestions, who has to do with it."""
    permissions = [f"{name}:{action}" for name in SEEN for action in ("read", "create")]
    member = UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=permissions))
    mine, hidden = StudyPersonFactory.create(), StudyPersonFactory.create()
    StudyAssignmentFactory.create(user=member, study=mine.study)
    client.force_login(member)

    assert list_filled(open_from(client, hidden.site)) == {}
    assert list_filled(open_from(client, mine.site)) == {"site__v": mine.site, "study__v": mine.study}
    assert hidden.site is not None
    found = look_up(client, site__v=hidden.site.uid, together=1)
    assert found == {"results": [], "more": False}


SEEN = ("crm_activity__v", "person__sys", "site__v", "study__v", "study_person__clin")


# -- Who is meant -------------------------------------------------------------------------------------------------
def look_up(client: Client, name: str = "person__v", **parameters: object) -> Any:
    return client.get(f"/records/crm_activity__v/lookup/{name}/?{urlencode(parameters)}").json()


@pytest.mark.both_databases
def test_who_is_likely_comes_first_and_is_told_apart(client: Client, user: User) -> None:
    leader = InvestigatorFactory.create(first_name="Diego", last_name="Peña", email="d@x.example")
    site = StudySiteFactory.create(name="03201", city="Buenos Aires", principal_investigator=leader)
    other = StudySiteFactory.create(study_country=site.study_country, name="00100", principal_investigator=None)
    stranger = PersonFactory.create(first_name="Diego", last_name="Peña", email="a@x.example")
    elsewhere, here = (
        StudyPersonFactory.create(
            person=PersonFactory.create(first_name="Diego", last_name="Peña", email=f"{email}@x.example"),
            site=place,
        )
        for email, place in (("b", other), ("c", site))
    )
    # A newer role at another site is told after the one here.
    StudyPersonFactory.create(person=here.person)

    answer = look_up(client, site__v=site.uid, study__v=site.study.uid, q="peña")

    assert [each["uid"] for each in answer["results"]] == [
        str(each.uid) for each in (leader, here.person, elsewhere.person, stranger)
    ]
    assert answer["results"][0]["detail"].endswith("Principal investigator, 03201, Buenos Aires")
    assert f"Study coordinator, 03201, Buenos Aires, {site.study} · " in answer["results"][1]["detail"]


def test_suggestions_take_as_many_statements_for_many_people(client: Client, user: User) -> None:
    site = StudySiteFactory.create()

    def count() -> int:
        with CaptureQueriesContext(connection) as queries:
            look_up(client, site__v=site.uid, study__v=site.study.uid)
        return len(queries)

    StudyPersonFactory.create(site=site)
    count()  # what is kept between requests
    few = count()
    for _ in range(3):
        StudyPersonFactory.create(site=site)
        StudyPersonFactory.create(site=StudySiteFactory.create(study_country=site.study_country))
    assert count() == few


def test_the_sites_of_a_person_come_first(client: Client, user: User) -> None:
    StudySiteFactory.create(name="0001")
    site = StudySiteFactory.create(name="0009")
    role = StudyPersonFactory.create(site=site)

    found = look_up(client, "site__v", person__v=role.person.uid)["results"]

    assert found[0]["uid"] == str(site.uid)


# -- Several people, together or not at all -----------------------------------------------------------------------
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


# -- Complete -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("days", "is_complete"), [(-1, True), (0, True), (1, False)])
def test_what_is_not_to_come_is_complete(client: Client, user: User, days: int, is_complete: bool) -> None:
    date = (timezone.localdate() + dt.timedelta(days=days)).isoformat()

    for url in (QUICK, "/records/crm_activity__v/create/"):
        assert client.get(url, {"date__v": date}).context["form"].initial["complete__v"] is is_complete
        assert client.get(url, {"date__v": date, "complete__v": "no"}).context["form"].initial["complete__v"] is False


# -- The next step ------------------------------------------------------------------------------------------------
def list_written() -> list[tuple[Any, ...]]:
    """Each activity, by day and person."""
    saved = Activity.objects.order_by("date", "person__name")
    return [(each.date, each.person, each.subject, each.complete, each.site, each.notes) for each in saved]


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


def test_the_next_step_is_undone_with_what_it_follows(client: Client, user: User) -> None:
    week = (timezone.localdate() + dt.timedelta(weeks=1)).isoformat()
    answer = submit(client, headers=JSON, person__v__text=PersonFactory.create().email, next_step=week)
    assert Activity.objects.count() == 2

    client.post(answer.json()["message"]["undo_url"])

    assert not Activity.objects.exists()


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
