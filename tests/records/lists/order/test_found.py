"""Pages of a search with many matches, which are read in the order of the list before all matches are looked up."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext

from ctms.clinical.models import Person
from ctms.records.access import ObjectAccess, open_object
from ctms.records.lists import query as list_query
from ctms.records.lists.order import found, keyset_pagination
from ctms.records.lists.order.found import ManyFound, narrow
from ctms.records.lists.order.keyset_pagination import Page, cut_page, cut_page_around
from ctms.records.lists.query import ListQuery, read_list
from tests.factories.base import get_admin_user
from tests.factories.bulk import create_people

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
PERSON = "person__sys"
PEOPLE, SIZE = 40, 3

# Which of forty people a search finds, in the order of their names.
FOUND = {
    "all": range(PEOPLE),
    "at the beginning": range(12),
    "at the end": range(28, PEOPLE),
    "one in five": range(0, PEOPLE, 5),
    "none": range(0),
}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(found, "LOOKED_AT", (5, 10))


@pytest.fixture
def people() -> list[Person]:
    return sorted(create_people(PEOPLE), key=lambda each: each.name)


@pytest.fixture
def access() -> ObjectAccess:
    return open_object(user=get_admin_user(), object_name=PERSON)


def open_list(access: ObjectAccess, **parameters: str) -> ListQuery:
    query = QueryDict(mutable=True)
    query.update(parameters)
    return read_list(access=access, parameters=query)


def walk(access: ObjectAccess, sort: str, *, many: ManyFound | None, backwards: bool) -> list[list[Any]]:
    pages: list[Page] = []
    cursor: str | None = "last" if backwards else ""
    while cursor is not None:
        listed = open_list(access, sort=sort)
        pages.append(cut_page(records=listed.list_records(), sort=listed.sort, size=SIZE, cursor=cursor, many=many))
        cursor = pages[-1].previous_cursor if backwards else pages[-1].next_cursor
    return [[row.pk for row in page.rows] for page in pages]


@pytest.mark.parametrize("sort", ["external_id__v", "-external_id__v"])
@pytest.mark.parametrize("which", FOUND.values(), ids=FOUND.keys())
def test_pages_have_each_record_found_once_and_in_order(
    monkeypatch: pytest.MonkeyPatch, people: list[Person], access: ObjectAccess, which: range, sort: str
) -> None:
    expected = [people[index].pk for index in which]
    if sort.startswith("-"):
        expected.reverse()
    many = ManyFound(condition=Q(external_id__in=[people[index].external_id for index in which]))
    for most_found, backwards in itertools.product((4, 1_000), (False, True)):
        monkeypatch.setattr(found, "MOST_FOUND", most_found)
        pages = walk(access, sort, many=many, backwards=backwards)
        if backwards:
            pages.reverse()
        assert [pk for page in pages for pk in page] == expected
        assert len([page for page in pages if len(page) == SIZE]) == len(expected) // SIZE


@pytest.mark.parametrize(
    ("first", "statements"),
    [(0, 1), (6, 2), (20, 4)],
    ids=["among the first five", "among the first ten", "further on"],
)
def test_a_page_is_read_from_the_beginning_of_the_list_if_it_is_there(
    people: list[Person], access: ObjectAccess, first: int, statements: int
) -> None:
    listed = open_list(access, sort="external_id__v")
    condition = Q(external_id__in=[each.external_id for each in people[first : first + SIZE + 1]])
    with CaptureQueriesContext(connection) as queries:
        page = cut_page(records=listed.list_records(), sort=listed.sort, size=SIZE, many=ManyFound(condition=condition))
    assert [each.pk for each in page.rows] == [each.pk for each in people[first : first + SIZE]]
    assert len(queries) == statements + 1  # the rows themselves


def test_a_page_around_a_place_has_what_was_found_on_both_sides(people: list[Person], access: ObjectAccess) -> None:
    listed = open_list(access, sort="external_id__v")
    condition = Q(external_id__in=[each.external_id for each in people[::2]])
    page = cut_page_around(
        records=listed.list_records(),
        sort=listed.sort,
        size=6,
        boundary=people[20].external_id,
        lead=2,
        many=ManyFound(condition=condition),
    )
    assert [each.pk for each in page.rows] == [each.pk for each in people[16:28:2]]


@pytest.mark.parametrize("most_found", [3, 10])
def test_narrowed_records_are_the_same(monkeypatch: pytest.MonkeyPatch, people: list[Person], most_found: int) -> None:
    monkeypatch.setattr(found, "MOST_FOUND", most_found)
    kept = [each.external_id for each in people[:5]]
    records = narrow(Person.objects.filter(external_id__in=kept))
    assert sorted(each.external_id for each in records) == kept


@pytest.mark.parametrize(
    ("parameters", "is_read_in_order"),
    [
        ({"q": "bulk"}, True),
        ({"q": "bulk", "sort": "-name__v"}, False),
        ({"q": "bulk", "group": "status__v"}, False),
        ({}, False),
        ({"q": "bulk-000001"}, False),
    ],
)
def test_only_a_long_search_in_the_order_of_the_object_is_read_in_this_order(
    monkeypatch: pytest.MonkeyPatch,
    people: list[Person],
    access: ObjectAccess,
    parameters: dict[str, str],
    is_read_in_order: bool,
) -> None:
    for module in (keyset_pagination, list_query):
        monkeypatch.setattr(module, "COUNT_CAP", 3)
    listed = open_list(access, **parameters)
    around = listed.look_around()
    assert (around.many is not None) is is_read_in_order
    page = cut_page(records=around.records, sort=listed.sort, size=PEOPLE, many=around.many)
    assert {each.pk for each in page.rows} == set(listed.list_records().values_list("pk", flat=True))
    assert around.number == min(len(page.rows), 4)
