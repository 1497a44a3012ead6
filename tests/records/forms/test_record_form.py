"""Creating, changing and cloning records on their forms."""

from __future__ import annotations

import datetime as dt
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import strip_tags
from pytest_django import DjangoAssertNumQueries

from activities.choices import ActivityType, Channel
from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.clinical.choices import PersonType
from ctms.clinical.models import MonitoringEvent, Person, Study, StudySite
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field, set_object_type_status
from ctms.core.choices import RecordStatus
from ctms.core.models import SAME_NUMBERS
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    PersonFactory,
    StudyAssignmentFactory,
    StudyCountryFactory,
    StudyFactory,
    StudyPersonFactory,
    StudySiteFactory,
)
from tests.record_rows import OBJECTS, create_record

pytestmark = pytest.mark.django_db

CREATE = "/records/crm_activity__v/create/"
FORM = "record-form"
DOES_NOT_FIT = (
    "0142 does not fit here: it is inactive, or does not belong to what is chosen beside it. Choose one from the list."
)
NOBODY = (
    "There is no active person “Nobody” that fits here. Choose one from the list, or type its exact name or "
    "external ID."
)


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


def address(record: Any, page: str = "") -> str:
    return f"/records/{record.object_name}/{record.uid}/{page}"


def build_url(path: str, **parameters: Any) -> str:
    return f"{path}?{urlencode(parameters)}"


def submit(client: Client, url: str, **typed: Any) -> Any:
    """Open the form, type, and press Save; a reference is chosen by its record, `None` unticks a box."""
    return client.post(url, fill(read_form(client.get(url), form_id=FORM), typed=choose(typed)))


def choose(typed: dict[str, Any]) -> dict[str, Any]:
    """Return what the page's script submits for a chosen record: its uid, and the text that shows it."""
    chosen: dict[str, Any] = {}
    for name, value in typed.items():
        is_record = hasattr(value, "uid")
        chosen[name] = value.uid if is_record else value
        if is_record:
            chosen |= {f"{name}__text": str(value), f"{name}__shown": str(value)}
    return chosen


def list_errors(answer: Any) -> dict[str, list[str]]:
    assert answer.status_code == 200
    return {name: list(found) for name, found in answer.context["form"].errors.items()}


def list_places(answer: Any) -> dict[str, dict[str, str]]:
    """Return the items of a form: section → label → the shown value, or the name of the input."""
    return {
        section.title: {item.label: item.bound.name if item.bound else item.shown.text for item in section.items}
        for section in answer.context["page"].sections
    }


def list_chosen(answer: Any, *names: str) -> dict[str, str]:
    """Return the texts that the references show."""
    values = read_form(answer, form_id=FORM)
    return {name: values[f"{name}__text"][0] for name in names}


# -- Creating ------------------------------------------------------------------------------------------------------


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
    for address, is_asked in (
        (f"create/{query}", False),
        (f"{record.uid}/clone/", False),
        (f"{record.uid}/edit/", True),
    ):
        answer = client.get(f"/records/{object_name}/{address}")
        assert answer.status_code == 200, address
        assert ('name="status__v"' in answer.content.decode()) is is_asked, address


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


# -- Object types --------------------------------------------------------------------------------------------------


def test_the_object_type_comes_first_where_there_is_a_choice(client: Client, user: User) -> None:
    site = StudySiteFactory.create()

    answer = client.get(build_url("/records/monitoring_event__ctms/create/", site__v=site.uid))

    assert answer.context["choices"] == [
        {"label": label, "url": f"?site__v={site.uid}&object_type__v={value}"}
        for value, label in (
            ("pre_study_visit__v", "Pre-Study Visit"),
            ("site_initiation_visit__v", "Site Initiation Visit"),
            ("interim_monitoring_visit__v", "Interim Monitoring Visit"),
            ("close_out_visit__v", "Close Out Visit"),
        )
    ]


def test_a_record_is_created_with_the_type_that_was_chosen(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    url = build_url("/records/monitoring_event__ctms/create/", object_type__v="close_out_visit__v", site__v=site.uid)

    assert submit(client, url).status_code == 302
    event = MonitoringEvent.objects.get()
    assert (event.object_type, event.site, event.name) == ("close_out_visit__v", site, "Close Out Visit")


def test_another_type_shows_its_fields_before_anything_is_saved(client: Client, user: User) -> None:
    url = build_url("/records/person__sys/create/", object_type__v="person__v")

    answer = submit(client, url, object_type__v="investigator__v", last_name__sys="Berg")

    assert (answer.status_code, Person.objects.count()) == (200, 0)
    values = read_form(answer, form_id=FORM)
    assert (values["shown_type"], values["object_type__v"], values["last_name__sys"]) == (
        ["investigator__v"],
        ["investigator__v"],
        ["Berg"],
    )
    answer = client.post(url, fill(values, typed={}))
    assert (answer.status_code, Person.objects.get().object_type) == (302, PersonType.INVESTIGATOR)


def test_the_type_of_a_record_can_be_changed(client: Client, user: User) -> None:
    person = PersonFactory.create(first_name="Hannah")

    answer = submit(client, address(person, "edit/"), object_type__v="investigator__v", first_name__sys="Anna")
    assert (answer.status_code, Person.objects.get().version) == (200, 1)

    answer = client.post(address(person, "edit/"), fill(read_form(answer, form_id=FORM), typed={}))
    person = Person.objects.get()
    assert (answer.status_code, person.object_type, person.first_name) == (302, PersonType.INVESTIGATOR, "Anna")


def test_an_inactive_type_takes_no_new_records(client: Client, user: User) -> None:
    set_object_type_status(
        object_name="person__sys",
        object_type="investigator__v",
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )

    answer = client.get(build_url("/records/person__sys/create/", object_type__v="investigator__v"))
    assert (answer.status_code, answer.context["exception"]) == (
        403,
        "The object type Investigator is Inactive: it takes no new records.",
    )
    # Only one type is left, so the form does not ask for it.
    assert client.get("/records/person__sys/create/").context["form"].layout.object_type == "person__v"


def test_an_investigator_keeps_an_inactive_type(client: Client, user: User) -> None:
    person = InvestigatorFactory.create()
    set_object_type_status(
        object_name="person__sys",
        object_type="investigator__v",
        status=RecordStatus.INACTIVE,
        actor=build_admin_actor(),
    )

    assert submit(client, address(person, "edit/"), first_name__sys="Anna").status_code == 302
    person = Person.objects.get()
    assert (person.object_type, person.first_name) == (PersonType.INVESTIGATOR, "Anna")


# -- Save and Save + Create ------------------------------------------------------------------------------------------


def test_save_and_create_goes_to_a_fresh_form_with_the_same_parents(client: Client, user: User) -> None:
    site = StudySiteFactory.create()
    url = build_url(CREATE, site__v=site.uid, subject__v="Not again")

    answer = submit(client, url, person__v=PersonFactory.create(), channel__v="phone__v", and_create="1")

    today = timezone.localdate().isoformat()
    kept = {
        "site__v": site.uid,
        "date__v": today,
        "channel__v": "phone__v",
        "study_country__v": site.study_country.uid,
        "study__v": site.study.uid,
    }
    assert (answer.status_code, answer.headers["Location"]) == (302, build_url(CREATE, **kept))
    answer = client.get(answer.headers["Location"])
    activity = Activity.objects.get()
    [message] = list_messages(answer)
    assert message.startswith(f'Activity created: <a href="{address(activity)}">{tell_new(activity)}</a> <button ')
    assert list_chosen(answer, "site__v", "person__v") == {
        "site__v": str(site.site_name and f"{site} · {site.site_name}"),
        "person__v": "",
    }
    values = read_form(answer, form_id=FORM)
    assert (values["date__v"], values["channel__v"], values["subject__v"]) == ([today], ["phone__v"], [""])


def test_save_and_create_keeps_the_object_type(client: Client, user: User) -> None:
    url = build_url("/records/person__sys/create/", object_type__v="investigator__v")

    answer = submit(client, url, last_name__sys="Berg", and_create="1")

    assert answer.headers["Location"] == url


def test_who_creates_what_only_others_see_is_led_to_the_list(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read", "study__v:create"])
    client.force_login(UserFactory.create(security_profile=profile))

    answer = submit(client, "/records/study__v/create/", name__v="ONC-1")

    assert (answer.status_code, answer.headers["Location"]) == (302, "/records/study__v/")
    assert Study.objects.get().name == "ONC-1"


# -- Editing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("object_name", OBJECTS)
def test_saving_a_form_untouched_changes_nothing(client: Client, user: User, object_name: str) -> None:
    record = create_record(object_name)
    before = type(record).objects.values().get(pk=record.pk)

    answer = submit(client, address(record, "edit/"))

    assert (answer.status_code, answer.headers["Location"]) == (302, address(record))
    assert type(record).objects.values().get(pk=record.pk) == before


def test_only_what_was_changed_is_written(client: Client, user: User) -> None:
    activity = ActivityFactory.create(notes="Line\nand line", subject="Call")

    answer = submit(client, address(activity, "edit/"), subject__v="Visit", notes__v="Line\r\nand line")

    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.version) == ("Visit", "Line\nand line", 2)
    assert [strip_tags(each) for each in list_messages(client.get("/"))] == [f"{activity} was saved. Undo"]


def test_a_field_that_came_to_the_layout_meanwhile_is_left_alone(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Call", notes="Important", complete=True)
    url = address(activity, "edit/")
    opened = read_form(client.get(url), form_id=FORM)
    # The form as it was before an admin added these two fields to the layout.
    del opened["notes__v"], opened["complete__v"]
    opened["shown_fields"] = [opened["shown_fields"][0].replace("notes__v ", "").replace("complete__v ", "")]
    answer = client.post(url, fill(opened, typed={"subject__v": "Visit"}))
    activity.refresh_from_db()
    assert answer.status_code == 302
    assert (activity.subject, activity.notes, activity.complete) == ("Visit", "Important", True)


def test_a_form_without_a_list_of_its_fields_unticks_boxes_and_wipes_nothing_else(client: Client, user: User) -> None:
    activity = ActivityFactory.create(subject="Call", notes="Important", complete=True)
    sent = {"expected_version": activity.version, "subject__v": "Visit"}
    client.post(address(activity, "edit/"), sent)
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.complete) == ("Visit", "Important", False)


def test_a_clone_keeps_what_its_form_did_not_hold(client: Client, user: User) -> None:
    activity = ActivityFactory.create(notes="Important")
    url = address(activity, "clone/")
    opened = read_form(client.get(url), form_id=FORM)
    del opened["notes__v"]
    client.post(url, fill(opened, typed={}))
    assert [each.notes for each in Activity.objects.all()] == ["Important", "Important"]


def test_a_box_of_another_type_begins_as_it_is_stored(client: Client, user: User) -> None:
    activity = ActivityFactory.create(complete=True)
    sent = {"expected_version": activity.version, "shown_type": "other__v", "shown_fields": "subject__v"}
    shown = read_form(client.post(address(activity, "edit/"), sent), form_id=FORM)
    assert "complete__v" in shown


def test_a_reference_that_is_inactive_now_may_stay(client: Client, user: User) -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create(), subject="Call")
    site = StudySite.objects.get()
    site.status = RecordStatus.INACTIVE
    save_record(record=site, actor=build_admin_actor())

    assert submit(client, address(activity, "edit/"), subject__v="Visit").status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.site) == ("Visit", site)


def test_a_reference_that_the_user_cannot_see_may_stay(client: Client) -> None:
    activity = ActivityFactory.create(person=PersonFactory.create(email="berg@x.example"), subject="Call")
    permissions = ["crm_activity__v:read", "crm_activity__v:edit"]
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    client.force_login(UserFactory.create(security_profile=profile))

    assert submit(client, address(activity, "edit/"), subject__v="Visit").status_code == 302
    activity.refresh_from_db()
    assert (activity.subject, activity.person.email) == ("Visit", "berg@x.example")


def test_a_wider_reference_that_contradicts_a_narrower_one_is_refused(client: Client, user: User) -> None:
    site = StudySiteFactory.create(name="0142", site_name="")
    activity = ActivityFactory.create(site=site)
    other = StudyFactory.create(name="ONC-2")

    answer = submit(client, address(activity, "edit/"), study__v=other)

    country = f"Germany belongs to {site.study}, not to ONC-2. Choose another, or change Study."
    assert list_errors(answer) == {
        "study_country__v": [country],
        "site__v": [f"0142 belongs to {site.study}, not to ONC-2. Choose another, or change Study."],
    }


def test_moving_an_activity_to_another_study_needs_only_the_site(client: Client, user: User) -> None:
    activity = ActivityFactory.create(site=StudySiteFactory.create())
    site = StudySiteFactory.create()

    answer = submit(client, address(activity, "edit/"), site__v=site, study__v__text="", study_country__v__text="")

    assert answer.status_code == 302
    activity.refresh_from_db()
    assert (activity.site, activity.study_country, activity.study) == (site, site.study_country, site.study)


def test_medical_activities_are_not_edited(client: Client, user: User) -> None:
    activity = MedicalActivityFactory.create()

    for answer in (
        client.get(address(activity, "edit/")),
        client.post(address(activity, "edit/"), {"subject__v": "X"}),
    ):
        assert (answer.status_code, answer.context["exception"]) == (
            403,
            "Medical Activity: this record comes from the Medical CRM; nobody changes it here.",
        )


@pytest.mark.parametrize(
    ("permissions", "page", "reason"),
    [
        (["read"], "create", "Your security profile does not allow you to create study records."),
        (["read"], "edit", "Your security profile does not allow you to edit study records."),
        (["read", "edit"], "clone", "Your security profile does not allow you to create study records."),
    ],
)
def test_what_the_profile_does_not_allow_is_refused_with_the_reason(
    client: Client, permissions: list[str], page: str, reason: str
) -> None:
    study = StudyFactory.create()
    profile = SecurityProfileFactory.create(permissions=[f"study__v:{each}" for each in permissions])
    user = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=user, study=study)
    client.force_login(user)
    url = "/records/study__v/create/" if page == "create" else address(study, f"{page}/")

    for answer in (client.get(url), client.post(url, {"name__v": "X", "expected_version": 1})):
        assert (answer.status_code, answer.context["exception"]) == (403, reason)


def test_a_form_that_names_no_version_is_refused(client: Client, user: User) -> None:
    study = StudyFactory.create()

    assert client.post(address(study, "edit/"), {"name__v": "X"}).status_code == 400


# -- Clones --------------------------------------------------------------------------------------------------------


def test_a_clone_begins_with_the_values_of_the_original(client: Client, user: User) -> None:
    original = ActivityFactory.create(
        site=StudySiteFactory.create(), subject="Call", notes="Long", complete=True, external_id="E-1"
    )

    answer = submit(client, address(original, "clone/"), subject__v="Second call")

    clone = Activity.objects.exclude(pk=original.pk).get()
    assert (answer.status_code, answer.headers["Location"]) == (302, address(clone))
    assert (clone.person, clone.site, clone.study, clone.notes, clone.complete, clone.subject) == (
        original.person,
        original.site,
        original.study,
        "Long",
        True,
        "Second call",
    )
    assert (clone.external_id, clone.from_text, clone.name == original.name) == (
        None,
        "Carla Craig (carla@x.example)",
        False,
    )


def test_what_must_be_unique_is_asked_for_in_a_clone(client: Client, user: User) -> None:
    original = StudyFactory.create(name="ONC-1", sponsor="ACME")

    assert list_errors(submit(client, address(original, "clone/"))) == {
        "__all__": [f"A study of this number exists. {SAME_NUMBERS}"]
    }
    assert submit(client, address(original, "clone/"), name__v="ONC-2").status_code == 302
    assert Study.objects.get(name="ONC-2").sponsor == "ACME"


def test_a_clone_has_what_the_page_does_not_show(client: Client, user: User) -> None:
    mood = CustomField(of_object="crm_activity__v", label="Mood", api_name="mood__c", kind="text")
    create_custom_field(field=mood, actor=build_admin_actor())
    original = ActivityFactory.create(custom_fields={"mood__c": "calm"})

    submit(client, address(original, "clone/"))

    assert Activity.objects.exclude(pk=original.pk).get().custom_fields == {"mood__c": "calm"}


def test_a_clone_refers_to_nothing_unseen_that_could_not_be_chosen(client: Client, user: User) -> None:
    for name in ("mentor__c", "deputy__c"):
        person = CustomField(
            of_object="crm_activity__v", label=name, api_name=name, kind="reference", reference_object="person__sys"
        )
        create_custom_field(field=person, actor=build_admin_actor())
    active, inactive = PersonFactory.create(), PersonFactory.create(status=RecordStatus.INACTIVE)
    uids = {"mentor__c": str(active.uid), "deputy__c": str(inactive.uid)}
    original = ActivityFactory.create(custom_fields=uids)
    submit(client, address(original, "clone/"))
    clone = Activity.objects.exclude(pk=original.pk).get()
    assert clone.custom_fields == {"mentor__c": str(active.uid)}


def test_a_medical_activity_is_not_cloned(client: Client, user: User) -> None:
    answer = client.get(address(MedicalActivityFactory.create(), "clone/"))

    assert (answer.status_code, answer.context["exception"]) == (
        403,
        "Medical Activity: these records come from the Medical CRM; nobody creates them here.",
    )


# -- In a dialog ---------------------------------------------------------------------------------------------------


def test_what_is_missing_is_created_in_place(client: Client, user: User) -> None:
    url = "/records/person__sys/create/?in_place=1"
    answer = client.get(url)
    assert "<html" not in answer.content.decode()

    values = read_form(answer, form_id="place-form")
    accept = {"Accept": "application/json"}
    answer = client.post(url, fill(values, typed={"last_name__sys": ""}), headers=accept)
    assert list_errors(answer) == {"last_name__sys": ["Fill in Last name."]}

    typed = {"first_name__sys": "Hannah", "last_name__sys": "Berg", "email__sys": "berg@x.example"}
    answer = client.post(url, fill(values, typed=typed), headers=accept)
    person = Person.objects.get()
    assert (answer.status_code, answer.json()) == (
        201,
        {
            "uid": str(person.uid),
            "label": "Hannah Berg (berg@x.example)",
            "message": {
                "text": "Person created:",
                "label": "Hannah Berg",
                "url": address(person),
                "undo_url": "",
                "told": "",
            },
            "next": "",
        },
    )


# -- Statements ----------------------------------------------------------------------------------------------------


def test_forms_take_a_bounded_number_of_statements(
    client: Client, user: User, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    event = MonitoringEventFactory.create()
    StudyCountryFactory.create()
    activity = ActivityFactory.create(site=event.site, monitoring_event=event)
    client.get(CREATE)

    with django_assert_max_num_queries(8):
        client.get(CREATE)
    with django_assert_max_num_queries(12):
        client.get(address(activity, "edit/"))
