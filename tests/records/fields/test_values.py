"""Values of records: reading, assigning and showing standard and custom fields."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from activities.choices import ActivityType
from activities.models import Activity
from ctms.clinical.models import Person, Study
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.records.access import ObjectAccess, open_object
from ctms.records.addresses import get_record_url
from ctms.records.fields.references import HIDDEN
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.values import (
    ValueReader,
    assign_value,
    format_value,
    read_value,
    select_references,
)
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import PersonFactory, StudyFactory, StudySiteFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

KINDS = ("text", "long_text", "number", "date", "datetime", "yes_no", "picklist", "reference")


@pytest.fixture
def studies() -> ObjectAccess:
    """The study object with a custom field of each kind."""
    for kind in KINDS:
        field = CustomField(
            of_object="study__v",
            label=kind,
            api_name=f"{kind}__c",
            kind=kind,
            picklist_values=["red"] * (kind == "picklist"),
        )
        create_custom_field(field=field, actor=build_admin_actor())
    return open_object(user=get_admin_user(), object_name="study__v")


def open_activities() -> ObjectAccess:
    return open_object(user=get_admin_user(), object_name="crm_activity__v")


def test_custom_values_come_back_as_they_went_in(studies: ObjectAccess) -> None:
    person = PersonFactory.create()
    moment = dt.datetime(2026, 3, 2, 10, 30, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    values: dict[str, Any] = {
        "text__c": "calm",
        "long_text__c": "Two\nlines",
        "number__c": Decimal("2.5"),
        "date__c": dt.date(2026, 3, 2),
        "datetime__c": moment,
        "yes_no__c": False,
        "picklist__c": "red",
        "reference__c": person,
    }
    study = StudyFactory.build()
    for name, value in values.items():
        assign_value(record=study, field=studies.shape.fields[name], value=value)

    read = {name: read_value(record=study, field=studies.shape.fields[name]) for name in values}

    assert read == values | {"reference__c": person.uid}
    assert study.custom_fields["datetime__c"] == "2026-03-02T08:30:00+00:00"


@pytest.mark.parametrize("number", [Decimal(0), Decimal(-7), Decimal("1E+3"), Decimal("0.1"), Decimal("123456789.01")])
def test_numbers_keep_their_value(studies: ObjectAccess, number: Decimal) -> None:
    study = StudyFactory.build()
    assign_value(record=study, field=studies.shape.fields["number__c"], value=number)

    assert read_value(record=study, field=studies.shape.fields["number__c"]) == number


@pytest.mark.parametrize("empty", [None, ""])
def test_empty_custom_values_leave_nothing_behind(studies: ObjectAccess, empty: str | None) -> None:
    study = StudyFactory.build(custom_fields={"text__c": "calm", "number__c": 1})
    before = study.custom_fields

    assign_value(record=study, field=studies.shape.fields["text__c"], value=empty)

    assert (study.custom_fields, before) == ({"number__c": 1}, {"text__c": "calm", "number__c": 1})
    assert read_value(record=study, field=studies.shape.fields["text__c"]) is None


def test_nothing_is_an_empty_text_or_null_as_the_database_has_it() -> None:
    activity = Activity(subject="Call", site=StudySiteFactory.create(), date=dt.date(2026, 3, 2))
    fields = open_activities().shape.fields
    names = ("subject__v", "notes__v", "channel__v", "site__v", "date__v")
    for name in names:
        assign_value(record=activity, field=fields[name], value=None)

    assert [getattr(activity, fields[name].attribute) for name in names] == ["", "", "", None, None]


def test_a_required_reference_that_a_new_record_has_not_yet_is_nothing() -> None:
    assert read_value(record=Activity(), field=open_activities().shape.fields["person__v"]) is None


def test_values_are_shown_in_words(studies: ObjectAccess) -> None:
    person = PersonFactory.create(first_name="Hannah", last_name="Berg")
    study = StudyFactory.create(
        name="ONC-1",
        planned_start=dt.date(2026, 3, 2),
        custom_fields={
            "number__c": 2.5,
            "date__c": "2026-03-02",
            "datetime__c": "2026-03-02T08:30:00+00:00",
            "yes_no__c": False,
            "picklist__c": "red",
            "reference__c": str(person.uid),
        },
    )
    fields = studies.shape.fields
    names = (
        "name__v",
        "study_phase__v",
        "planned_start_date__v",
        "planned_end_date__v",
        "send_to_crm__v",
        "sponsor__v",
        "number__c",
        "date__c",
        "datetime__c",
        "yes_no__c",
        "picklist__c",
        "reference__c",
        "text__c",
    )
    reader = ValueReader(access=studies).load(records=[study], fields=fields.values())

    with timezone.override(ZoneInfo("Asia/Tokyo")):
        shown = {name: reader.show(record=study, field=fields[name]).text for name in names}

    assert shown == {
        "name__v": "ONC-1",
        "study_phase__v": "Phase III",
        "planned_start_date__v": "2 Mar 2026",
        "planned_end_date__v": "",
        "send_to_crm__v": "Yes",
        "sponsor__v": "",
        "number__c": "2.5",
        "date__c": "2 Mar 2026",
        "datetime__c": "2 Mar 2026, 17:30",
        "yes_no__c": "No",
        "picklist__c": "red",
        "reference__c": "Hannah Berg",
        "text__c": "",
    }


def test_states_are_chips_channels_have_icons_and_references_are_links() -> None:
    activity = ActivityFactory.create(complete=True, site=StudySiteFactory.create(name="0142", city="Graz"))
    access = open_activities()
    reader = ValueReader(access=access)

    shown = {
        name: reader.show(record=activity, field=access.shape.fields[name])
        for name in ("complete__v", "channel__v", "site__v", "status__v", "object_type__v", "created_by__v")
    }

    assert shown == {
        "complete__v": ShownValue(text="Complete", raw=True, tone="complete"),
        "channel__v": ShownValue(text="Phone", raw="phone__v", icon="phone"),
        "site__v": ShownValue(text="0142 · Graz", raw=activity.site, url=get_record_url(activity.site)),
        "status__v": ShownValue(text="Active", raw="active__v", tone="neutral"),
        "object_type__v": ShownValue(text="Clinical Activity", raw=ActivityType.CLINICAL),
        "created_by__v": ShownValue(text="Ada Admin", raw=get_admin_user()),
    }


def test_what_the_user_may_not_read_is_no_link() -> None:
    activity = MedicalActivityFactory.create()
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read"])
    access = open_object(user=UserFactory.create(security_profile=profile), object_name="crm_activity__v")
    reader = ValueReader(access=access)

    for name in ("person__v", "connection__v"):
        shown = reader.show(record=activity, field=access.shape.fields[name])
        assert (bool(shown.text), shown.url) == (True, "")


def test_values_that_are_no_longer_among_the_choices_are_shown_as_they_are(studies: ObjectAccess) -> None:
    fields = studies.shape.fields

    assert [
        format_value(value="green", field=fields["picklist__c"], shape=studies.shape),
        format_value(
            value="alien__v", field=open_activities().shape.fields["object_type__v"], shape=open_activities().shape
        ),
    ] == ["green", "alien__v"]


def test_somebody_who_is_gone_is_shown_as_somebody_who_is_not_visible(studies: ObjectAccess) -> None:
    study = StudyFactory.create(custom_fields={"reference__c": "00000000-0000-0000-0000-000000000000"})
    field = studies.shape.fields["reference__c"]

    assert (
        ValueReader(access=studies).load(records=[study], fields=[field]).show(record=study, field=field).text == HIDDEN
    )


def test_people_of_custom_fields_are_read_at_once(
    studies: ObjectAccess, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    second = CustomField(
        of_object="study__v", label="Deputy", api_name="deputy__c", kind="reference", reference_object="person__sys"
    )
    create_custom_field(field=second, actor=build_admin_actor())
    access = open_object(user=get_admin_user(), object_name="study__v")
    fields = [access.shape.fields["reference__c"], access.shape.fields["deputy__c"]]
    for _ in range(3):
        one, other = PersonFactory.create_batch(2)
        StudyFactory.create(custom_fields={"reference__c": str(one.uid), "deputy__c": str(other.uid)})
    records = list(Study.objects.all())

    with django_assert_num_queries(1):
        reader = ValueReader(access=access).load(records=records, fields=fields)
        shown = [reader.show(record=record, field=field).text for record in records for field in fields]
    assert sorted(shown) == sorted(person.full_name for person in Person.objects.all())
    with django_assert_num_queries(0):
        reader.load(records=records, fields=fields)


def test_references_are_loaded_with_the_records(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    ActivityFactory.create_batch(3, site=StudySiteFactory.create())
    access = open_activities()
    fields = [access.shape.fields[name] for name in ("person__v", "site__v", "subject__v")]

    with django_assert_num_queries(1):
        records = list(select_references(records=access.list_records(), fields=fields))
        texts = {str(read_value(record=each, field=field)) for each in records for field in fields}
    assert len(texts) == 7


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York"])
def test_a_moment_at_the_edge_of_the_calendar_is_shown_somehow(client: Client, zone: str) -> None:
    """As it may have been stored before such moments were refused."""
    field = CustomField(of_object="study__v", api_name="when__c", label="When", kind="datetime")
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    early = StudyFactory.create(custom_fields={"when__c": "0001-01-01T00:00:00+00:00"})
    late = StudyFactory.create(custom_fields={"when__c": "9999-12-31T23:59:00+00:00"})
    client.force_login(UserFactory.create(is_superuser=True, time_zone=zone))
    for study in (early, late):
        address = f"/records/study__v/{study.uid}/"
        for page in (address, f"{address}edit/", f"{address}fields/when__c/"):
            assert client.get(page).status_code == 200, page
    assert client.get("/records/study__v/?columns=when__c").status_code == 200
    export: Any = client.get("/records/study__v/export.csv?columns=name__v,when__c")
    assert ("0001-01-01 " in export.getvalue().decode(), client.get("/api/v1/study__v/").status_code) == (True, 200)
