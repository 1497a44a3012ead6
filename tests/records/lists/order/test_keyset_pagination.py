"""Keyset pagination with sorts by every kind of field, with equal and empty values."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.clinical.models import Person
from ctms.core.models import allow_record_writes
from ctms.records.access import ObjectAccess, open_object
from ctms.records.lists.order import keyset_pagination
from ctms.records.lists.order.keyset_pagination import (
    COUNT_CAP,
    InvalidCursorError,
    Page,
    Sort,
    count_capped,
    cut_page,
    look_around,
    order_records,
)
from ctms.records.lists.query import is_sortable
from tests.factories.bulk import create_people
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

SORTABLE = [
    "",
    "name__v",
    "status__v",
    "external_id__v",
    "created_date__v",
    "trainee__v",
    "date__v",
    "hours__v",
    "method__v",
    "passed__v",
    "text__c",
    "number__c",
    "date__c",
    "datetime__c",
    "yes_no__c",
    "picklist__c",
]


@pytest.fixture
def access() -> ObjectAccess:
    add_custom_fields()
    create_trainings()
    return open_trainings()


def build_sort(access: ObjectAccess, name: str) -> Sort:
    plain = name.removeprefix("-")
    return Sort(field=access.shape.get_field(plain) if plain else None, descending=name.startswith("-"))


def cut(access: ObjectAccess, name: str, *, size: int, cursor: str = "") -> Page:
    return cut_page(records=access.list_records(), sort=build_sort(access, name), size=size, cursor=cursor)


def walk(access: ObjectAccess, name: str, *, size: int) -> list[Page]:
    pages = [cut(access, name, size=size)]
    while pages[-1].next_cursor:
        pages.append(cut(access, name, size=size, cursor=pages[-1].next_cursor))
    return pages


def walk_back(access: ObjectAccess, name: str, *, size: int) -> list[Page]:
    pages = [cut(access, name, size=size, cursor="last")]
    while pages[-1].previous_cursor:
        pages.append(cut(access, name, size=size, cursor=pages[-1].previous_cursor))
    return pages[::-1]


def list_ids(pages: list[Page]) -> list[int]:
    return [row.pk for page in pages for row in page.rows]


def list_values(access: ObjectAccess, name: str, attribute: str) -> list[Any]:
    rows = order_records(records=access.list_records(), sort=build_sort(access, name))
    return [
        row.custom_fields.get(attribute) if attribute.endswith("__c") else str(getattr(row, attribute)) for row in rows
    ]


@pytest.mark.parametrize("field", SORTABLE)
def test_pages_forwards_and_backwards_show_every_record_once_and_in_order(access: ObjectAccess, field: str) -> None:
    for name in (field, f"-{field}") if field else ("",):
        expected = [row.pk for row in order_records(records=access.list_records(), sort=build_sort(access, name))]
        assert sorted(expected) == sorted(Training.objects.values_list("pk", flat=True))
        for size in (1, 2, 3, 7, 8):
            forwards, backwards = walk(access, name, size=size), walk_back(access, name, size=size)
            assert (list_ids(forwards), list_ids(backwards)) == (expected, expected)
            count = len(forwards)
            assert [page.is_first for page in forwards] == [number == 0 for number in range(count)]
            assert [page.is_last for page in backwards] == [number == count - 1 for number in range(count)]


def test_every_sortable_field_is_tried(access: ObjectAccess) -> None:
    known = {name for name, each in access.shape.fields.items() if is_sortable(each)}
    assert known - set(SORTABLE) == {"uid__sys", "modified_date__v"}


@pytest.mark.parametrize(
    ("sort", "attribute", "expected"),
    [
        ("number__c", "number__c", [1, 2, 10, 10, 33, None, None]),
        ("-number__c", "number__c", [33, 10, 10, 2, 1, None, None]),
        ("hours__v", "hours", ["1", "2", "10", "10", "33", "None", "None"]),
        ("-hours__v", "hours", ["33", "10", "10", "2", "1", "None", "None"]),
        ("-date__v", "date", ["2026-12-24", "2026-03-02", "2026-03-02", "2026-01-31", "2025-07-01", "None", "None"]),
        ("trainee__v", "trainee", ["Ann Smith"] * 4 + ["Bob Smith"] * 3),
        ("-passed__v", "passed", ["True"] * 4 + ["False"] * 3),
        ("yes_no__c", "yes_no__c", [False] * 3 + [True] * 4),
    ],
)
def test_numbers_sort_as_numbers_references_by_name_and_empty_values_last(
    access: ObjectAccess, sort: str, attribute: str, expected: list[Any]
) -> None:
    assert list_values(access, sort, attribute) == expected


def test_equal_values_are_in_the_order_of_the_records_numbers(access: ObjectAccess) -> None:
    names = [
        (row.name, row.pk) for row in order_records(records=access.list_records(), sort=build_sort(access, "name__v"))
    ]
    assert names == sorted(names)
    downwards = order_records(records=access.list_records(), sort=build_sort(access, "-name__v"))
    assert [(row.name, row.pk) for row in downwards] == names[::-1]


def test_pages_know_how_many_rows_come_before_them(access: ObjectAccess) -> None:
    pages = walk(access, "name__v", size=3)
    assert [page.before for page in pages] == [0, 3, 6]
    back = cut(access, "name__v", size=3, cursor=pages[2].previous_cursor or "")
    assert (back.before, cut(access, "name__v", size=3, cursor=back.previous_cursor or "").before) == (3, 0)


def test_nobody_counts_the_rows_before_the_last_page(access: ObjectAccess) -> None:
    page = cut(access, "name__v", size=3, cursor="last")
    assert (page.before, page.is_last, page.next_cursor) == (None, True, None)


def test_a_list_that_fits_on_one_page_has_no_other(access: ObjectAccess) -> None:
    page = cut(access, "name__v", size=7)
    assert (page.is_first, page.is_last, page.next_cursor, page.previous_cursor) == (True, True, None, None)


def test_an_empty_list_has_one_empty_page() -> None:
    page = cut(open_trainings(), "name__v", size=7)
    assert (page.rows, page.is_first, page.is_last, page.before) == ([], True, True, 0)


def test_what_is_added_and_deleted_between_two_pages_shows_nothing_twice(access: ObjectAccess) -> None:
    first = cut(access, "name__v", size=3)
    with allow_record_writes():
        first.rows[-1].delete()
        first.rows[0].delete()
    rest = cut(access, "name__v", size=10, cursor=first.next_cursor or "")
    assert {row.pk for row in rest.rows} == set(Training.objects.values_list("pk", flat=True)) - {first.rows[1].pk}


@pytest.mark.parametrize("cursor", ["x", "bGFzdA", "W10:abc", "é", "\x00", "[" * 5000, "a:" * 3000])
def test_a_cursor_that_the_vault_did_not_write_is_refused(access: ObjectAccess, cursor: str) -> None:
    with pytest.raises(InvalidCursorError, match=r"^This place in the list cannot be read\. Go to the first page\.$"):
        cut(access, "name__v", size=3, cursor=cursor)


def test_a_cursor_of_another_sort_is_refused(access: ObjectAccess) -> None:
    cursor = cut(access, "name__v", size=3).next_cursor or ""
    with pytest.raises(InvalidCursorError, match=r"^This place belongs to a list sorted in another way\."):
        cut(access, "-name__v", size=3, cursor=cursor)


def test_a_cursor_of_another_object_or_of_a_field_of_another_kind_is_refused(access: ObjectAccess) -> None:
    cursor = cut(access, "name__v", size=3).next_cursor or ""
    people = open_object(user=access.user, object_name="person__sys")
    with pytest.raises(InvalidCursorError, match=r"^This place belongs to another list\."):
        cut(people, "name__v", size=3, cursor=cursor)
    cursor = cut(access, "text__c", size=3).next_cursor or ""
    number = replace(access.shape.fields["number__c"], api_name="text__c")
    with pytest.raises(InvalidCursorError, match=r"^This place belongs to another list\."):
        cut_page(records=access.list_records(), sort=Sort(field=number), size=3, cursor=cursor)


def test_counting_ends_beyond_the_cap() -> None:
    create_people(COUNT_CAP + 5)
    assert count_capped(Person.objects.all()) == COUNT_CAP + 1
    assert count_capped(Person.objects.filter(external_id__lt="BULK-000010")) == 10


def test_microseconds_are_kept(access: ObjectAccess) -> None:
    moments = [row.created_at for page in walk(access, "created_date__v", size=2) for row in page.rows]
    assert moments == sorted(moments)
    assert all(isinstance(moment, dt.datetime) for moment in moments)


@pytest.mark.parametrize("number", [2, 5])
def test_the_records_around_are_all_of_them_however_many(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    monkeypatch.setattr(keyset_pagination, "COUNT_CAP", 3)
    people = create_people(number)
    with CaptureQueriesContext(connection) as queries:
        records, counted = look_around(Person.objects.all())
    assert (counted, len(queries)) == (min(number, 4), 1)
    assert [each.pk for each in records.order_by("pk")] == [each.pk for each in people]
