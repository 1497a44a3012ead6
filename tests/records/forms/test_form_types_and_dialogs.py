"""The object type of a form, its buttons, its dialog, and what it costs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from activities.models import Activity
from activities.objects import tell_new
from ctms.accounts.models import User
from ctms.clinical.choices import PersonType
from ctms.clinical.models import MonitoringEvent, Person, Study
from ctms.configuration.services import set_object_type_status
from ctms.core.choices import RecordStatus
from tests.admin_forms import fill, list_messages, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import (
    InvestigatorFactory,
    MonitoringEventFactory,
    PersonFactory,
    StudyCountryFactory,
    StudySiteFactory,
)
from tests.records.forms.record_form_steps import (
    CREATE,
    FORM,
    address,
    build_url,
    list_chosen,
    list_errors,
    submit,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    user = UserFactory.create(first_name="Carla", last_name="Craig", email="carla@x.example", is_superuser=True)
    client.force_login(user)
    return user


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


@pytest.mark.usefixtures("stopped_clock")
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


@pytest.mark.usefixtures("stopped_clock")
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
