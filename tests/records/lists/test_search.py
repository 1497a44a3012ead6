from __future__ import annotations

from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.clinical.models import Person, StudySite
from ctms.configuration.registry import get_object, list_record_objects
from ctms.records.access import open_object
from ctms.records.lists import search
from ctms.records.lists.search import search_records
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.bulk import create_people
from tests.factories.clinical import PersonFactory, StudySiteFactory
from tests.record_rows import create_record

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def find(model: type, query: str) -> list[str]:
    """Return what a search finds: subjects of activities, names of other records."""
    found = search_records(
        access=open_object(user=get_admin_user(), object_name=model.object_name),  # type: ignore[attr-defined]
        records=model.objects.all(),  # type: ignore[attr-defined]
        vault_object=get_object(model.object_name),  # type: ignore[attr-defined]
        query=query,
    )
    return [getattr(record, "subject", record.name) for record in found.order_by("pk")]


@pytest.fixture
def _activities() -> None:
    ann = PersonFactory.create(first_name="Ann", last_name="Müller", email="ann@example.org")
    bob = PersonFactory.create(first_name="Bob", last_name="O'Brien", email="bob@example.org")
    # Their names are letters of their uids: of random ones, now and then a name has an "ann" or a "bob" in it.
    for number, (person, subject) in enumerate(
        [(ann, "Call about visit 4"), (bob, "Protocol 100% done"), (bob, "Called Ann")]
    ):
        ActivityFactory.create(uid=UUID(bytes=bytes([number] * 16)), person=person, subject=subject)


@pytest.mark.usefixtures("_activities")
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Call about visit 4", "Protocol 100% done", "Called Ann"]),
        ("   ", ["Call about visit 4", "Protocol 100% done", "Called Ann"]),
        ("call", ["Call about visit 4", "Called Ann"]),
        ("CALL visit", ["Call about visit 4"]),
        ("visit call", ["Call about visit 4"]),
        ("ann", ["Call about visit 4", "Called Ann"]),
        ("bob call", ["Called Ann"]),
        ("müller", ["Call about visit 4"]),
        ("o'brien", ["Protocol 100% done", "Called Ann"]),
        ("%", ["Protocol 100% done"]),
        ("_", []),
        ("\\", []),
        ("nobody", []),
        ("call nobody", []),
    ],
)
def test_every_word_stands_in_one_of_the_search_fields(query: str, expected: list[str]) -> None:
    assert find(Activity, query) == expected


def test_an_activity_is_found_by_its_name() -> None:
    activity = ActivityFactory.create(subject="this one")
    ActivityFactory.create()
    assert find(Activity, activity.name.lower()) == ["this one"]


def test_what_refers_to_very_many_matches_is_found_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "MOST_REFERENCED", 3)
    people = create_people(5, prefix="Anna")
    for number, person in enumerate(people):
        ActivityFactory.create(person=person, subject=f"about {number}")
    ActivityFactory.create(subject="of somebody else")
    assert find(Activity, "anna") == [f"about {number}" for number in range(5)]


def test_a_word_takes_one_statement_more_for_each_object_referred_to() -> None:
    ActivityFactory.create()
    access = open_object(user=get_admin_user(), object_name="crm_activity__v")
    with CaptureQueriesContext(connection) as queries:
        list(
            search_records(
                access=access,
                records=Activity.objects.all(),
                vault_object=access.vault_object,
                query="one two three",
            )
        )
    assert len(queries) == 4


def test_a_site_is_found_by_the_number_of_its_study() -> None:
    site = StudySiteFactory.create()
    StudySiteFactory.create()
    assert find(StudySite, site.study.name) == [site.name]


def test_people_are_found_by_email() -> None:
    PersonFactory.create(email="carla@example.org", first_name="Carla", last_name="Craig")
    PersonFactory.create(email="x@example.org")
    assert find(Person, "carla@EXAMPLE") == ["Carla Craig"]


@pytest.mark.parametrize("object_name", [each.api_name for each in list_record_objects()])
def test_a_record_of_every_object_is_found_by_its_name(object_name: str) -> None:
    record = create_record(object_name)
    words = " ".join(record.name.split()[: search.MOST_WORDS])
    found = search_records(
        access=open_object(user=get_admin_user(), object_name=object_name),
        records=type(record)._default_manager.all(),
        vault_object=get_object(object_name),
        query=words,
    )
    assert record.pk in [each.pk for each in found]


@pytest.mark.parametrize(
    ("permissions", "found"),
    [
        (["crm_activity__v:read"], []),
        (["crm_activity__v:read", "person__sys.investigator__v:read"], []),
        (["crm_activity__v:read", "person__sys.person__v:read"], ["Call"]),
    ],
)
def test_records_are_not_found_by_names_that_the_profile_hides(permissions: list[str], found: list[str]) -> None:
    ActivityFactory.create(person=PersonFactory.create(last_name="Hidden"), subject="Call")
    profile = SecurityProfileFactory.create(permissions=permissions, sees_all_studies=True)
    access = open_object(user=UserFactory.create(security_profile=profile), object_name="crm_activity__v")
    records = search_records(
        access=access, records=access.list_records(), vault_object=access.vault_object, query="Hidden"
    )
    assert [each.subject for each in records] == found
