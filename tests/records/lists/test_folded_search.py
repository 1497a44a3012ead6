"""Search and order know accents, case and the digits of numbers, on both databases alike."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.http import QueryDict

from activities.models import Activity
from ctms.configuration.models import CustomField
from ctms.configuration.services.custom_fields import create_custom_field
from ctms.records.access import open_object
from ctms.records.lists.autocomplete import find_matching
from ctms.records.lists.order.keyset_pagination import cut_page, order_records
from ctms.records.lists.query import read_list
from ctms.records.pages.global_search import mark_words
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor, get_admin_user
from tests.factories.clinical import PersonFactory
from tests.text_order import put_in_order

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PERSON, ACTIVITY = "person__sys", "crm_activity__v"


def search(object_name: str, **parameters: str) -> list[str]:
    query = QueryDict(mutable=True)
    query.update(parameters)
    listed = read_list(access=open_object(user=get_admin_user(), object_name=object_name), parameters=query)
    assert not listed.problems
    return [str(each) for each in order_records(records=listed.list_records(), sort=listed.sort)]


def type_ahead(query: str) -> list[str]:
    access = open_object(user=get_admin_user(), object_name=PERSON)
    found = find_matching(
        access=access, records=access.list_records(), vault_object=access.vault_object, query=query, limit=10
    )
    return [str(each) for each in found]


@pytest.mark.parametrize("query", ["lukasz", "LUKASZ", "Łukasz", "muller", "Müller", "mu\u0308ller lukasz", "o'connor"])
def test_names_are_found_without_accents_and_case(query: str) -> None:
    PersonFactory.create(email="", first_name="Łukasz", last_name="O\u2019Connor-Müller")
    PersonFactory.create(email="", first_name="Ann", last_name="Lee")
    assert search(PERSON, q=query) == type_ahead(query) == ["Łukasz O\u2019Connor-Müller"]


@pytest.mark.parametrize("query", ["4930123", "+49 30 123", "+49 (0)30-123", "30 123"])
def test_a_phone_number_is_found_by_its_digits(query: str) -> None:
    PersonFactory.create(email="", first_name="Ann", last_name="Lee", phone="+49 (0) 30 / 123-45")
    PersonFactory.create(email="", first_name="Bob", last_name="Ray", phone="+49 31 999")
    assert search(PERSON, q=query) == type_ahead(query) == ["Ann Lee"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("be", ["Ann Berg", "Anna-Berta Low", "Ida Lind", "Jo (Beth) Ray"]),
        ("BÉ", ["Ann Berg", "Anna-Berta Low", "Ida Lind", "Jo (Beth) Ray"]),
        ("b", ["Ann Berg", "Anna-Berta Low", "Ida Lind", "Jo (Beth) Ray"]),
        ("an be", ["Ann Berg", "Anna-Berta Low"]),
        ("ber", ["Ann Berg", "Anna-Berta Low", "Robert Max"]),
        ("伟", ["张伟"]),
        ("(", ["Jo (Beth) Ray"]),
        ("b.", []),
    ],
)
def test_a_letter_or_two_begin_a_word(query: str, found: list[str]) -> None:
    for name in ("Ann Berg", "Anna-Berta Low", "Robert Max", "张伟", "Jo (Beth) Ray"):
        PersonFactory.create(email="", first_name="", last_name=name)
    PersonFactory.create(email="ida@be.example", first_name="Ida", last_name="Lind")
    assert search(PERSON, q=query) == found
    assert sorted(type_ahead(query)) == sorted(found)


def test_a_letter_or_two_are_marked_where_words_begin() -> None:
    assert mark_words(text="Robert Anna-Berta", words=["be"]) == "Robert Anna-<mark>Be</mark>rta"


def test_an_identifier_is_found_by_its_digits() -> None:
    PersonFactory.create(email="", first_name="Ann", last_name="Lee", person_identifier="DE-04.711/5")
    assert search(PERSON, q="047115") == type_ahead("04711-5") == ["Ann Lee"]


def test_percent_and_underscore_are_characters() -> None:
    ActivityFactory.create(subject="50% done")
    ActivityFactory.create(subject="5000 done")
    assert len(search(ACTIVITY, q="50%")) == 1
    assert search(ACTIVITY, q="50_") == []


def test_an_activity_is_found_by_its_persons_name() -> None:
    ActivityFactory.create(
        person=PersonFactory.create(email="", first_name="Łukasz", last_name="Ray"), subject="Über Maß"
    )
    assert len(search(ACTIVITY, q="lukasz uber mass")) == 1


NAMES = ["ábel", "Abel", "Ábel", "abel", "Łukasz", "Lukas", "Site 10", "Site 9", "Zoë", "Zoe", "10", "9", "Øre", "Ore"]
ORDER = ["9", "10", "abel", "Abel", "ábel", "Ábel", "Lukas", "Łukasz", "Ore", "Øre", "Site 9", "Site 10", "Zoe", "Zoë"]


def test_lists_are_sorted_as_people_look_names_up() -> None:
    for name in NAMES:
        PersonFactory.create(email="", first_name="", last_name=name)
    assert search(PERSON, sort="name__v") == search(PERSON, sort="last_name__sys") == put_in_order(ORDER)
    assert search(PERSON, sort="-name__v") == put_in_order(ORDER)[::-1]


def test_a_custom_text_is_sorted_so_too() -> None:
    mood = CustomField(of_object=PERSON, label="Mood", api_name="mood__c", kind="text")
    create_custom_field(field=mood, actor=build_admin_actor())
    for name in ("Ärger", "arg", "Zorn", "bang"):
        PersonFactory.create(email="", first_name="", last_name=name, custom_fields={"mood__c": name})
    assert search(PERSON, sort="mood__c") == put_in_order(["arg", "Ärger", "bang", "Zorn"])


@pytest.mark.parametrize("sort", ["name__v", "-name__v"])
def test_pages_show_each_once_among_names_that_differ_only_in_accents_and_case(sort: str) -> None:
    for name in NAMES:
        for _ in range(2):
            PersonFactory.create(email="", first_name="", last_name=name)
    query = QueryDict(mutable=True)
    query.update({"sort": sort})
    listed = read_list(access=open_object(user=get_admin_user(), object_name=PERSON), parameters=query)
    seen: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = cut_page(records=listed.list_records(), sort=listed.sort, size=3, cursor=cursor)
        seen += [each.name for each in page.rows]
        cursor = page.next_cursor
    expected = [name for name in put_in_order(ORDER) for _ in range(2)]
    assert seen == (expected if sort == "name__v" else expected[::-1])


def test_what_was_found_is_marked_in_its_own_spelling() -> None:
    assert mark_words(text="Łukasz <Müller>", words=["lukasz", "mull"]) == (
        "<mark>Łukasz</mark> &lt;<mark>Müll</mark>er&gt;"
    )
    assert mark_words(text="Tel. +49 (0)30 123", words=["4930123"]) == "Tel. +<mark>49 (0)30 123</mark>"
    assert mark_words(text="Straße", words=["strasse"]) == "<mark>Straße</mark>"


@pytest.mark.postgresql
def test_on_postgresql_search_and_order_use_their_indexes() -> None:
    access = open_object(user=get_admin_user(), object_name=PERSON)
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        plan = access.list_records().filter(name__folded_contains="lukasz").order_by().explain()
        assert "clinical_person_name_folded" in plan
        query = QueryDict("sort=name__v")
        listed = read_list(access=access, parameters=query)
        assert "person_list" in order_records(records=listed.list_records(), sort=listed.sort)[:50].explain()
        activities = Activity.objects.filter(subject__folded_contains="budget").order_by()
        assert "activities_activity_subject_folded" in activities.explain()
        begun = Activity.objects.filter(subject__folded_begins_word="bu").order_by()
        assert "activities_activity_subject_folded" in begun.explain()
