"""Filters by every kind of field, standard and custom."""

from __future__ import annotations

import datetime as dt
from typing import Any
from uuid import uuid4

import pytest
from django.http import QueryDict
from django.utils import timezone
from time_machine import travel

from activities.choices import ActivityType
from activities.models import Activity
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.models import Person
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_object
from ctms.records.fields.date_ranges import PERIOD_CHOICES, list_days
from ctms.records.lists.filters import (
    build_filter_set,
    list_active_filters,
    list_filter_names,
    list_filterable_fields,
    split_parameter,
)
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def access() -> ObjectAccess:
    add_custom_fields()
    create_trainings()
    return open_trainings()


def find(access: ObjectAccess, query: str) -> list[str]:
    """Return the names of the records that match the parameters, in the order of their creation."""
    filter_set = build_filter_set(access=access, records=access.list_records(), parameters=QueryDict(query))
    assert filter_set.is_valid(), filter_set.errors
    return [record.name for record in filter_set.qs.order_by("pk")]


def find_errors(access: ObjectAccess, query: str) -> dict[str, list[str]]:
    filter_set = build_filter_set(access=access, records=access.list_records(), parameters=QueryDict(query))
    return {name: [str(text) for text in found] for name, found in filter_set.errors.items()}


def describe(access: ObjectAccess, query: str) -> list[tuple[str, str, str]]:
    filter_set = build_filter_set(access=access, records=access.list_records(), parameters=QueryDict(query))
    return [(f.label, f.text, f.parameter) for f in list_active_filters(filter_set=filter_set, access=access)]


# In the order of creation the trainings are called b a c a d b e.
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "bacadbe"),
        ("name__v=a", "aa"),
        ("name__v=A", ""),
        ("name__v__contains=A", "aa"),
        ("remarks__v__contains=on+b", "bb"),
        ("remarks__v__contains=%25", ""),
        ("method__v=online__v", "bab"),
        ("method__v=online__v&method__v=classroom__v", "baadb"),
        ("method__v__empty=true", "ce"),
        ("method__v__empty=false", "baadb"),
        ("passed__v=true", "bcde"),
        ("passed__v=false", "aab"),
        ("passed__v=false&method__v=online__v", "ab"),
        ("date__v=2026-03-02", "ba"),
        ("date__v__from=2026-03-02", "bad"),
        ("date__v__to=2026-03-02", "baae"),
        ("date__v__from=2026-01-31&date__v__to=2026-03-01", "a"),
        ("date__v__from=2+Mar+2026", "bad"),
        ("date__v__empty=true", "cb"),
        ("hours__v=10", "ac"),
        ("hours__v=1.5", ""),
        ("hours__v__from=9.5", "ace"),
        ("hours__v__to=2.5", "bd"),
        ("hours__v__from=-1e14", "bacde"),
        ("hours__v__empty=true", "ab"),
        ("status__v=active__v", "bacadbe"),
        ("status__v=inactive__v", ""),
        ("text__c=On+2026-03-02", "ba"),
        ("text__c__contains=on+2026", "baad"),
        ("text__c__empty=true", "cb"),
        ("long_text__c__contains=held", "baade"),
        ("number__c=10", "ac"),
        ("number__c__from=9.5", "ace"),
        ("number__c__to=2.5", "bd"),
        ("number__c__empty=true", "ab"),
        ("date__c=2026-03-02", "ba"),
        ("date__c__from=2026-01-31&date__c__to=2026-03-02", "baa"),
        ("date__c__empty=false", "baade"),
        ("datetime__c=2026-03-02", "ba"),
        ("datetime__c__to=2026-03-01", "ae"),
        ("yes_no__c=true", "bcde"),
        ("yes_no__c=false", "aab"),
        ("yes_no__c__empty=true", ""),
        ("picklist__c=red", "bcde"),
        ("picklist__c=red&picklist__c=blue", "bacadbe"),
        ("person__c__empty=true", "ab"),
    ],
)
def test_each_kind_of_field_is_filtered(access: ObjectAccess, query: str, expected: str) -> None:
    assert "".join(find(access, query)) == expected


def test_references_are_filtered_by_uid_and_several_mean_any_of_them(access: ObjectAccess) -> None:
    ann, bob = Person.objects.order_by("first_name")
    assert "".join(find(access, f"trainee__v={ann.uid}")) == "bcae"
    assert "".join(find(access, f"trainee__v={ann.uid}&trainee__v={bob.uid}")) == "bacadbe"
    assert "".join(find(access, f"person__c={ann.uid}")) == "bce"
    assert "".join(find(access, f"person__c={bob.uid}&person__c={ann.uid}")) == "bacde"


def test_users_are_filtered_by_name_and_as_me(access: ObjectAccess) -> None:
    ann = Person.objects.order_by("first_name").first()
    assert ann is not None
    ann.phone = "1"
    save_record(record=ann, actor=Actor(user=access.user, source="page"))
    people = open_object(user=access.user, object_name="person__sys")
    assert find(people, f"modified_by__v={access.user.username}") == ["Ann Smith"]
    assert find(people, "modified_by__v=me") == ["Ann Smith"]
    assert find(people, "created_by__v=me") == []
    assert describe(people, "modified_by__v=me") == [("Modified by", "me", "modified_by__v")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("date__v__from=31", {"date__v__from": ["Enter a valid date."]}),
        ("date__v=2026-02-30", {"date__v": ["Enter a valid date."]}),
        ("date__v__to=9999-12-31", {"date__v__to": ["Ensure this value is less than or equal to 2199-12-31."]}),
        (
            "datetime__c__from=0001-01-01",
            {"datetime__c__from": ["Ensure this value is greater than or equal to 1900-01-01."]},
        ),
        ("hours__v=ten", {"hours__v": ["Enter a number."]}),
        ("hours__v=NaN", {"hours__v": ["Enter a number."]}),
        ("number__c__to=1e999999", {"number__c__to": ["Ensure this value is less than or equal to 1000000000000000."]}),
        ("number__c=1e-1000000", {"number__c": ["Ensure that there are no more than 20 decimal places."]}),
        ("passed__v=perhaps", {"passed__v": ["Select a valid choice. perhaps is not one of the available choices."]}),
        (
            "method__v=online__v&method__v=x",
            {"method__v": ["Select a valid choice. x is not one of the available choices."]},
        ),
        (
            "date__v__within=soon",
            {"date__v__within": ["Select a valid choice. soon is not one of the available choices."]},
        ),
        ("trainee__v=x", {"trainee__v": ["“x” is not a valid UUID."]}),
        ("name__v=%00", {"name__v": ["Null characters are not allowed."]}),
        ("created_by__v=nobody", {"created_by__v": ["There is no user of this name."]}),
        ("created_by__v=%00", {"created_by__v": ["Null characters are not allowed."]}),
    ],
)
def test_what_cannot_be_understood_is_named(access: ObjectAccess, query: str, expected: dict[str, list[str]]) -> None:
    assert find_errors(access, query) == expected


def test_a_reference_to_nothing_visible_is_named(access: ObjectAccess) -> None:
    message = "There is no person of this uid that you can see. Choose another, or leave it out."
    assert find_errors(access, f"trainee__v={uuid4()}") == {"trainee__v": [message]}


def test_what_is_no_filter_is_not_the_concern_of_the_filter_set(access: ObjectAccess) -> None:
    query = "foo=1&uid__sys=1&date__v__contains=2026&sort=x&full_name__v=x"
    assert "".join(find(access, query)) == "bacadbe"


def test_a_study_that_the_user_does_not_see_cannot_be_filtered_by() -> None:
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:read", "study__v:read"])
    user, superuser = UserFactory.create(security_profile=profile), UserFactory.create(is_superuser=True)
    seen, hidden = StudySiteFactory.create(), StudySiteFactory.create()
    for site in (seen, hidden):
        ActivityFactory.create(site=site)
    StudyAssignmentFactory.create(user=user, study=seen.study)
    access = open_object(user=user, object_name=Activity.object_name)
    assert len(find(access, f"study__v={seen.study.uid}")) == 1
    assert list(find_errors(access, f"study__v={hidden.study.uid}")) == ["study__v"]
    # If the user may not read sites at all, there is no such filter.
    assert "site__v" not in [name for name, _ in list_filter_names(access=access)]
    everything = open_object(user=superuser, object_name=Activity.object_name)
    assert "site__v" in [name for name, _ in list_filter_names(access=everything)]


def test_medical_activities_are_filtered_by_their_type() -> None:
    ActivityFactory.create()
    medical = MedicalActivityFactory.create()
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=Activity.object_name)
    assert find(access, f"object_type__v={ActivityType.MEDICAL}") == [medical.name]
    assert describe(access, f"object_type__v={ActivityType.MEDICAL}") == [
        ("Object type", "Medical Activity", "object_type__v")
    ]


@travel(dt.datetime(2026, 3, 4, 23, 30, tzinfo=dt.UTC), tick=False)
def test_periods_are_relative_to_today_where_the_user_is() -> None:
    days = [
        "2026-02-28",
        "2026-03-01",
        "2026-03-02",
        "2026-03-04",
        "2026-03-05",
        "2026-03-08",
        "2026-03-09",
        "2026-04-03",
    ]
    for day in days:
        ActivityFactory.create(date=dt.date.fromisoformat(day), subject=day)
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=Activity.object_name)

    def list_found(period: str) -> list[str]:
        filter_set = build_filter_set(
            access=access, records=access.list_records(), parameters=QueryDict(f"date__v__within={period}")
        )
        return [each.subject for each in filter_set.qs.order_by("date")]

    assert list_found("today") == ["2026-03-04"]
    assert list_found("this_week") == days[2:6]
    assert list_found("past") == days[:3]
    assert list_found("future") == days[4:]
    assert list_found("last_7") == days[:4]
    assert list_found("next_7") == days[3:7]
    with timezone.override("Asia/Tokyo"):
        assert list_found("today") == ["2026-03-05"]


@pytest.mark.parametrize(
    ("period", "first", "last"),
    [
        ("today", "2026-01-31", "2026-01-31"),
        ("this_week", "2026-01-26", "2026-02-01"),
        ("this_month", "2026-01-01", "2026-01-31"),
        ("last_month", "2025-12-01", "2025-12-31"),
        ("this_year", "2026-01-01", "2026-12-31"),
        ("last_7", "2026-01-24", "2026-01-31"),
        ("last_30", "2026-01-01", "2026-01-31"),
        ("last_90", "2025-11-02", "2026-01-31"),
        ("next_7", "2026-01-31", "2026-02-07"),
        ("next_30", "2026-01-31", "2026-03-02"),
        ("past", "None", "2026-01-30"),
        ("future", "2026-02-01", "None"),
    ],
)
def test_days_of_periods(period: str, first: str, last: str) -> None:
    days = list_days(period=period, today=dt.date(2026, 1, 31))
    assert (str(days[0]), str(days[1])) == (first, last)


def test_every_period_is_tried() -> None:
    assert len(PERIOD_CHOICES) == 12


def test_times_are_filtered_by_days_where_the_user_is(access: ObjectAccess) -> None:
    # Held at 23:30 UTC, which is the day after in Berlin.
    with timezone.override("Europe/Berlin"):
        assert "".join(find(access, "datetime__c=2026-03-02")) == ""
        assert "".join(find(access, "datetime__c=2026-03-03")) == "ba"


def test_chips_say_what_is_in_force(access: ObjectAccess) -> None:
    ann, bob = Person.objects.order_by("first_name")
    query = (
        f"trainee__v={ann.uid}&trainee__v={bob.uid}&method__v=online__v&method__v=classroom__v&passed__v=false"
        "&date__v__from=2026-02-01&date__v__to=2026-03-01&name__v__contains=x&hours__v=5&date__c__within=last_7"
        "&external_id__v__empty=true&number__c__empty=false&name__v__contains=&foo=1"
    )
    assert describe(access, query.replace("&name__v__contains=&", "&")) == [
        ("Trainee", "Ann Smith or Bob Smith", "trainee__v"),
        ("Method", "Online or Classroom", "method__v"),
        ("Passed", "No", "passed__v"),
        ("Date", "from 1 Feb 2026", "date__v__from"),
        ("Date", "until 1 Mar 2026", "date__v__to"),
        ("Name", "contains x", "name__v__contains"),
        ("Hours", "5", "hours__v"),
        ("Custom date", "in the last 7 days", "date__c__within"),
        ("External ID", "is empty", "external_id__v__empty"),
        ("Custom number", "is not empty", "number__c__empty"),
    ]


def test_filters_that_are_wrong_have_no_chip_and_the_others_keep_theirs(access: ObjectAccess) -> None:
    assert describe(access, "date__v__from=x&name__v=a") == [("Name", "a", "name__v")]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("date__v", ("date__v", "")),
        ("date__v__from", ("date__v", "from")),
        ("text__c__contains", ("text__c", "contains")),
        ("name__v__empty", ("name__v", "empty")),
        ("from", None),
        ("__from", None),
        ("", None),
        ("nothing__v", None),
    ],
)
def test_a_parameter_is_about_a_field(access: ObjectAccess, name: str, expected: Any) -> None:
    found = split_parameter(shape=access.shape, name=name)
    assert (found and (found[0].api_name, found[1])) == expected


def test_every_stored_field_can_be_filtered_by(access: ObjectAccess) -> None:
    names = {each.api_name for each in list_filterable_fields(access.shape)}
    assert set(access.shape.fields) - names == {"uid__sys"}
    assert {field.api_name for _, field in list_filter_names(access=access)} == names


def test_inactive_records_can_be_filtered_by() -> None:
    study = StudyFactory.create()
    ActivityFactory.create(study=study)
    study.status = RecordStatus.INACTIVE
    save_record(record=study, actor=build_admin_actor())
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=Activity.object_name)
    assert len(find(access, f"study__v={study.uid}")) == 1
