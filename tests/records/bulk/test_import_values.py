"""Cells of imported files: references, and values of every kind."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.choices import Channel
from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.core.choices import RecordStatus
from ctms.records.bulk import runner
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_people, create_sites
from tests.factories.clinical import (
    PersonFactory,
    StudyCountryFactory,
    StudySiteFactory,
)
from tests.records.bulk.steps import (
    confirm,
    do_import,
    list_problems,
    run_job,
    upload,
)
from tests.records.trainings import add_custom_fields
from tests.sample.models import Training

pytestmark = pytest.mark.django_db

ACTIVITY, TRAINING = "crm_activity__v", "training__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


# -- References -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    ["Ann Smith", "ann smith", "P-7", "ann@example.org", "ANN@EXAMPLE.ORG", "Ann Smith (ann@example.org)", "{uid}"],
)
def test_references_are_named_as_people_name_them(client: Client, text: str) -> None:
    person = PersonFactory.create(first_name="Ann", last_name="Smith", email="ann@example.org", external_id="P-7")
    content = f"Person,Date,Channel\n{text.format(uid=person.uid)},2026-03-02,Email\n"
    operation = do_import(client, ACTIVITY, content, key="none")
    assert operation.counts == {"created": 1}
    assert Activity.objects.get().person == person


def test_references_that_cannot_be_told_name_the_remedy(client: Client) -> None:
    PersonFactory.create(first_name="Ida", last_name="Gone", status=RecordStatus.INACTIVE)
    for _ in range(2):
        PersonFactory.create(first_name="Ann", last_name="Smith")
    person = PersonFactory.create(external_id="P-7")
    country = StudyCountryFactory.create(study__name="S-1")
    StudySiteFactory.create(study_country=country, name="0001")
    StudySiteFactory.create(study_country=StudyCountryFactory.create(study__name="S-2"), name="0001")
    StudySiteFactory.create(study_country=country, name="0002")
    content = (
        "Person,Date,Channel,Study,Site\n"
        "Nobody,2026-03-02,Email,,\n"
        "Ida Gone,2026-03-02,Email,,\n"
        "Ann Smith,2026-03-02,Email,,\n"
        "P-7,2026-03-02,Email,,0001\n"
        "P-7,2026-03-02,Email,S-1,0001\n"
        "P-7,2026-03-02,Email,S-2,0002\n"
        "P-7,2026-03-02,Email,S-9,0002\n"
    )
    operation = do_import(client, ACTIVITY, content, key="none")
    assert list_problems(operation) == [
        (
            2,
            "Person",
            "There is no active person “Nobody” that you can see. Write its exact name, e-mail, external ID or UID.",
        ),
        (3, "Person", "The person “Ida Gone” is inactive. Activate it first, or name another."),
        (
            4,
            "Person",
            "2 active records of person match “Ann Smith”. To say which, write its external ID or UID.",
        ),
        (
            5,
            "Site",
            (
                "2 active records of study site match “0001”. To say which, add the column Study, or write its "
                "external ID or UID."
            ),
        ),
        (7, "Site", "The study site “0002” does not belong to Study S-2. Correct one of the two."),
        (
            8,
            "Study",
            "There is no active study “S-9” that you can see. Write its exact name, external ID or UID.",
        ),
    ]
    assert list(Activity.objects.values_list("person", "study__name", "site__name")) == [(person.pk, "S-1", "0001")]


def test_a_reference_that_is_inactive_by_now_may_stay(client: Client) -> None:
    person = PersonFactory.create(external_id="P-7")
    activity = ActivityFactory.create(person=person, external_id="A-1")
    person.status = RecordStatus.INACTIVE
    save_record(record=person, actor=build_admin_actor())
    operation = do_import(client, ACTIVITY, "External ID,Person,Subject\nA-1,P-7,New\n")
    activity.refresh_from_db()
    assert (operation.counts, activity.subject) == ({"changed": 1}, "New")


def test_a_reference_of_the_record_narrows_what_a_cell_means(client: Client) -> None:
    country, other = StudyCountryFactory.create(), StudyCountryFactory.create()
    sites = [StudySiteFactory.create(study_country=each, name="0001") for each in (country, other)]
    activity = ActivityFactory.create(external_id="A-1", study=other.study)
    do_import(client, ACTIVITY, "External ID,Site\nA-1,0001\n")
    activity.refresh_from_db()
    assert activity.site == sites[1]


@pytest.mark.usefixtures("stopped_clock")
def test_statements_do_not_grow_with_rows(client: Client) -> None:
    country = StudyCountryFactory.create()
    sites = create_sites(40, study_country=country)
    people = create_people(40)
    counted = {}
    for number in (2, 40):
        rows = [
            f"A{number}-{n},{people[n].name},2026-03-02,Phone,{country.study.name},{sites[n].name}"
            for n in range(number)
        ]
        content = "\n".join(["External ID,Person,Date,Channel,Study,Site", *rows])
        operation = upload(client, ACTIVITY, content)
        with CaptureQueriesContext(connection) as checking:
            runner.check_operation(operation)
        with CaptureQueriesContext(connection) as showing:
            client.get(f"/records/{ACTIVITY}/import/{operation.uid}/")
        confirm(client, operation)
        with CaptureQueriesContext(connection) as writing:
            run_job(operation)
        assert operation.counts == {"created": number}
        counted[number] = (len(checking), len(showing), len(writing))
        client.get(f"/operations/{operation.uid}/")  # no longer a notification, which the next page would read
    assert counted[2] == counted[40]


# -- Values ---------------------------------------------------------------------------------------
def test_values_that_cannot_be_read_name_line_field_and_remedy(client: Client) -> None:
    PersonFactory.create(external_id="P-7")
    content = (
        "Person,Date,Channel,Complete,Object type,Status\n"
        "P-7,31.31.2026,Fax,perhaps,Call,gone\n"
        "P-7,,,,Clinical Activity,\n"
        "P-7,2 March 2026,chat/text,N,clinical_activity__v,inactive\n"
    )
    operation = do_import(client, ACTIVITY, content, key="none")
    assert list_problems(operation) == [
        (2, "Object type", "“Call” is none of the object types: Clinical Activity, Medical Activity."),
        (2, "Date", "“31.31.2026” is no date. Write it as 2026-03-31 or 31 Mar 2026."),
        (2, "Channel", "“Fax” is none of the choices: In person, Video, Phone, Chat/Text, Email, Other."),
        (2, "Complete", "“perhaps” is neither Yes nor No."),
        (2, "Status", "“gone” is none of the choices: Active, Inactive."),
        (3, "Date", "This field is required."),
        (3, "Channel", "This field is required."),
    ]
    activity = Activity.objects.get()
    assert (activity.date, activity.channel, activity.complete, activity.status) == (
        dt.date(2026, 3, 2),
        Channel.CHAT_TEXT,
        False,
        "inactive__v",
    )


def test_all_that_is_wrong_with_a_row_is_told_at_once(client: Client) -> None:
    PersonFactory.create(external_id="P-7")
    content = (
        "External ID,Person,Date,Channel,Complete,Object type,Status,Study,Site\n"
        "A-1,P-8,31.31.2026,,perhaps,Call,gone,,\n"  # neither the type nor five other cells
        ",P-7,0026-03-31,Fax,,Clinical Activity,,,\n"  # a year that is refused when it is written, and a choice
        "A-2,P-8,,Phone,,Clinical Activity,,,S-404\n"  # the study would follow from the site
        "A-2,P-7,2026-03-02,Fax,,Clinical Activity,,,\n"  # the record is that of another line
    )
    operation = do_import(client, ACTIVITY, content, key="external_id__v")
    assert [(line, label) for line, label, _ in list_problems(operation)] == [
        *((2, label) for label in ("Object type", "Date", "Complete", "Status", "Person", "Channel")),
        *((3, label) for label in ("Channel", "Date")),
        *((4, label) for label in ("Person", "Site", "Date")),
        *((5, label) for label in ("External ID", "Channel")),
    ]
    assert not Activity.objects.exists()


def test_custom_fields_of_every_kind_are_imported_and_come_back_unchanged(client: Client) -> None:
    add_custom_fields()
    person = PersonFactory.create(external_id="P-7")
    cells = {
        "text": "Blue",
        "long_text": '"Two\nlines"',
        "number": "12.50",
        "date": "31 Mar 2026",
        "datetime": "2026-03-31 14:05",
        "yes_no": "Yes",
        "picklist": "RED",
        "reference": "P-7",
    }
    by_label = {each.label: cells[each.kind] for each in CustomField.objects.order_by("id")}
    content = f"Name,Trainee,{','.join(by_label)}\nGCP,P-7,{','.join(by_label.values())}\n"
    operation = do_import(client, TRAINING, content, key="name__v")
    assert (list_problems(operation), operation.counts) == ([], {"created": 1})
    assert Training.objects.get().custom_fields == {
        "text__c": "Blue",
        "long_text__c": "Two\nlines",
        "number__c": 12.5,
        "date__c": "2026-03-31",
        "datetime__c": "2026-03-31T14:05:00+00:00",
        "yes_no__c": True,
        "picklist__c": "red",
        "person__c": str(person.uid),
    }
    assert do_import(client, TRAINING, content, key="name__v").counts == {"unchanged": 1}


def test_wrong_values_of_custom_fields_are_told_by_kind(client: Client) -> None:
    add_custom_fields()
    PersonFactory.create(external_id="P-7")
    content = 'Name,Trainee,number__c,datetime__c,picklist__c,person__c\nGCP,P-7,"1,5,2",noon,green,P-8\n'
    operation = upload(client, TRAINING, content, key="none")
    assert list_problems(operation) == [
        (2, "Custom number", "“1,5,2” is no number. Write it as 1234.5."),
        (2, "Custom date and time", "“noon” is no time. Write it as 2026-03-31 14:05."),
        (2, "Custom picklist", "“green” is none of the choices: red, blue."),
        (
            2,
            "Custom reference to a person",
            "There is no active person “P-8” that you can see. Write its exact name, e-mail, external ID or UID.",
        ),
    ]


def test_times_are_the_users_own(client: Client, user: User) -> None:
    add_custom_fields()
    user.time_zone = "Europe/Berlin"
    user.save()
    PersonFactory.create(external_id="P-7")
    do_import(client, TRAINING, "Name,Trainee,datetime__c\nGCP,P-7,2026-03-02 14:05\n", key="none")
    training = Training.objects.get()
    assert training.custom_fields["datetime__c"] == "2026-03-02T13:05:00+00:00"
    # As an export shows it, without the seconds of the stored value.
    training.custom_fields |= {"datetime__c": "2026-03-02T13:05:59+00:00"}
    save_record(record=training, actor=build_admin_actor())
    content = 'Name,Trainee,datetime__c\nGCP,P-7,"2 Mar 2026, 14:05"\n'
    assert do_import(client, TRAINING, content, key="name__v").counts == {"unchanged": 1}
