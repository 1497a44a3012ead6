"""Filters by every kind of field, standard and custom."""

from __future__ import annotations

import datetime as dt
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
from ctms.records.conditions.addresses import split_name
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.parameters import list_parameters
from ctms.records.lists.filters import ListFilters, list_filterable_fields, read_filters
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory, MedicalActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudySiteFactory
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


NO_DAY = "'{}' is no day. Enter it as year-month-day, e.g. 2026-03-31."
NO_PERIOD = "'{}' is no period. Enter one such as today, this_week, last_30_days, next_2_weeks or before_today."
NO_NUMBER = "'{}' is no number. Enter digits, with a point before the fraction."


@pytest.fixture
def access() -> ObjectAccess:
    add_custom_fields()
    create_trainings()
    return open_trainings()


def read(access: ObjectAccess, query: str) -> ListFilters:
    return read_filters(access=access, parameters=QueryDict(query))


def find(access: ObjectAccess, query: str) -> list[str]:
    """Return the names of the records that match the parameters, in the order of their creation."""
    filters = read(access, query)
    assert filters.problems == {}
    return [record.name for record in filters.limit(access.list_records()).order_by("pk")]


def find_errors(access: ObjectAccess, query: str) -> dict[str, list[str]]:
    return read(access, query).problems


def list_names(access: ObjectAccess) -> list[str]:
    """Return the parameters that the list understands."""
    asker = UserAsker(access=access)
    return [each.name for each in list_parameters(asker=asker, object_name=access.shape.api_name)]


def describe(access: ObjectAccess, query: str) -> list[tuple[str, str, str]]:
    return [(each.label, each.text, " ".join(each.parameters)) for each in read(access, query).list_active()]


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
        ("date__v__from=31", {"date__v__from": [NO_DAY.format("31")]}),
        ("date__v=2026-02-30", {"date__v": [NO_DAY.format("2026-02-30")]}),
        ("date__v__to=9999-12-31", {"date__v__to": ["Enter a day between 1900-01-01 and 2199-12-31."]}),
        (
            "datetime__c__from=0001-01-01",
            {"datetime__c__from": ["Enter a day between 1900-01-01 and 2199-12-31."]},
        ),
        ("hours__v=ten", {"hours__v": [NO_NUMBER.format("ten")]}),
        ("hours__v=NaN", {"hours__v": [NO_NUMBER.format("NaN")]}),
        (
            "number__c__to=1e999999",
            {"number__c__to": ["Enter a number between -1,000,000,000,000,000 and 1,000,000,000,000,000."]},
        ),
        ("number__c=1e-1000000", {"number__c": ["Enter a number with at most 20 digits after the point."]}),
        ("passed__v=perhaps", {"passed__v": ["'perhaps' is neither yes nor no. Enter true or false."]}),
        (
            "method__v=online__v&method__v=x",
            {"method__v": ["The picklist has no value 'x' (any more). Choose among those it has."]},
        ),
        (
            "date__v__within=soon",
            {"date__v__within": [NO_PERIOD.format("soon")]},
        ),
        ("trainee__v=x", {"trainee__v": ["'x' is no uid. Choose the record again."]}),
        (
            "name__v__contains=%CC%81",
            {"name__v__contains": ["'\u0301' has nothing that can be looked for. Enter letters or digits."]},
        ),
        ("name__v=%00", {"name__v": ["Null characters are not allowed. Remove them."]}),
        (
            "created_by__v=nobody",
            {"created_by__v": ["There is no user of the name 'nobody'. Enter a user name, or me."]},
        ),
        ("created_by__v=%00", {"created_by__v": ["Null characters are not allowed. Remove them."]}),
    ],
)
def test_what_cannot_be_understood_is_named(access: ObjectAccess, query: str, expected: dict[str, list[str]]) -> None:
    assert find_errors(access, query) == expected


def test_a_reference_to_nothing_visible_is_named(access: ObjectAccess) -> None:
    message = "There is no person of this uid that you can see. Choose another, or leave it out."
    assert find_errors(access, f"trainee__v={uuid4()}") == {"trainee__v": [message]}


def test_what_is_no_filter_is_named(access: ObjectAccess) -> None:
    query = "foo=1&uid__sys=1&date__v__contains=2026"
    unknown = ["Trainings cannot be filtered by this."]
    asked = ["“contains” cannot be asked of it. Choose another operator, or remove the condition."]
    assert find_errors(access, query) == {"foo": unknown, "uid__sys": unknown, "date__v__contains": asked}
    assert list(read(access, query).limit(access.list_records())) == []


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
    assert "site__v" not in list_names(access)
    everything = open_object(user=superuser, object_name=Activity.object_name)
    assert "site__v" in list_names(everything)


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
        filters = read(access, f"date__v__within={period}")
        return [each.subject for each in filters.limit(access.list_records()).order_by("date")]

    assert list_found("today") == ["2026-03-04"]
    assert list_found("this_week") == days[2:6]
    assert list_found("past") == days[:3]
    assert list_found("future") == days[4:]
    assert list_found("last_7") == days[:4]
    assert list_found("next_7") == days[3:7]
    with timezone.override("Asia/Tokyo"):
        assert list_found("today") == ["2026-03-05"]


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
        ("Date", "from 1 Feb 2026 until 1 Mar 2026", "date__v__from date__v__to"),
        ("Name", "contains x", "name__v__contains"),
        ("Hours", "5", "hours__v"),
        ("Custom date", "in the last 7 days", "date__c__within"),
        ("External ID", "is empty", "external_id__v__empty"),
        ("Custom number", "is not empty", "number__c__empty"),
    ]


def test_filters_that_are_wrong_have_no_chip_and_the_others_keep_theirs(access: ObjectAccess) -> None:
    assert describe(access, "date__v__from=x&name__v=a") == [("Name", "a", "name__v")]


def test_every_stored_field_can_be_filtered_by(access: ObjectAccess) -> None:
    names = {each.api_name for each in list_filterable_fields(access)}
    assert set(access.shape.fields) - names == {"uid__sys"}
    named = [
        split_name(asker=UserAsker(access=access), object_name="training__v", name=each) for each in list_names(access)
    ]
    assert {each.subject.path for each in named if each} == names


def test_inactive_records_can_be_filtered_by() -> None:
    study = StudyFactory.create()
    ActivityFactory.create(study=study)
    study.status = RecordStatus.INACTIVE
    save_record(record=study, actor=build_admin_actor())
    access = open_object(user=UserFactory.create(is_superuser=True), object_name=Activity.object_name)
    assert len(find(access, f"study__v={study.uid}")) == 1


@pytest.mark.parametrize("depth", [4, 5, 2000])
def test_groups_deeper_than_three_are_refused_however_deep(access: ObjectAccess, depth: int) -> None:
    name = f"{'any1.' * depth}name__v"
    assert find_errors(access, f"{name}=x") == {name: ["Groups stand at most 3 deep in each other. Remove one."]}


def test_all_conditions_together_have_five_hundred_values(access: ObjectAccess) -> None:
    names = ("any1.name__v__contains", "any1.name__v__begins")
    allowed = [f"{name}=x{number}" for name in names for number in range(250)]
    assert find(access, "&".join(allowed)) == []
    assert find_errors(access, "&".join([*allowed, f"{names[1]}=y"])) == {
        names[1]: ["All conditions together have at most 500 values. Remove some."]
    }
