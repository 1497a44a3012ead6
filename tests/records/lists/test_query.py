"""Reading a list from its address, and the problems of parameters that are not valid."""

from __future__ import annotations

import pytest
from django.http import QueryDict

from ctms.records.access import ObjectAccess
from ctms.records.lists.columns import (
    choose_columns,
    choose_size,
    get_preference,
    list_choosable,
    move_column,
    save_preference,
)
from ctms.records.lists.query import (
    InvalidListError,
    change_parameters,
    drop_blanks,
    is_sortable,
    read_list,
    write_columns,
)
from tests.records.trainings import OBJECT, add_custom_fields, create_trainings, open_trainings

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture
def access() -> ObjectAccess:
    add_custom_fields()
    create_trainings()
    return open_trainings()


def list_problems(access: ObjectAccess, query: str) -> dict[str, list[str]]:
    return read_list(access=access, parameters=QueryDict(query)).problems


def list_columns(access: ObjectAccess, query: str = "") -> list[str]:
    preference = get_preference(user=access.user, object_name=OBJECT)
    listed = read_list(access=access, parameters=QueryDict(query))
    return [each.api_name for each in choose_columns(listed=listed, preference=preference)]


def test_an_address_without_parameters_is_everything_as_the_object_is_sorted(access: ObjectAccess) -> None:
    listed = read_list(access=access, parameters=QueryDict(""))
    assert listed.list_records().count() == 7
    assert (listed.sort.name, listed.text, listed.size, listed.columns) == ("", "", None, None)
    assert (listed.problems, listed.is_narrowed()) == ({}, False)


def test_filters_search_sort_size_and_columns_stand_in_the_address(access: ObjectAccess) -> None:
    listed = read_list(
        access=access,
        parameters=QueryDict("passed__v=true&q=b&sort=-date__v&size=25&columns=date__v,text__c&cursor=x&view=y"),
    )
    assert [record.name for record in listed.list_records()] == ["b"]
    assert (listed.sort.name, listed.text, listed.size) == ("-date__v", "b", 25)
    assert [each.api_name for each in listed.columns or ()] == ["date__v", "text__c"]
    assert (listed.problems, listed.is_narrowed()) == ({}, True)
    assert [(each.label, each.text) for each in listed.filters.list_active()] == [("Passed", "Yes")]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("foo=1", {"foo": ["Trainings cannot be filtered by this."]}),
        ("uid__sys=1", {"uid__sys": ["Trainings cannot be filtered by this."]}),
        (
            "date__v__from=x",
            {"date__v__from": ["'x' is no day. Enter it as year-month-day, e.g. 2026-03-31."]},
        ),
        (
            "date__v__to=2026-01-01&date__v__to=2026-01-02",
            {"date__v__to": ["This is given more than once. Give it once."]},
        ),
        ("q=a&q=b", {"q": ["This is given more than once. Give it once."]}),
        ("size=0", {"size": ["A page has from 1 to 200 rows."]}),
        ("size=201", {"size": ["A page has from 1 to 200 rows."]}),
        ("size=-1", {"size": ["A page has from 1 to 200 rows."]}),
        ("size=ten", {"size": ["A page has from 1 to 200 rows."]}),
        ("size=٣", {"size": ["A page has from 1 to 200 rows."]}),
        ("columns=date__v,nothing__v,x", {"columns": ["Trainings have no field nothing__v, x."]}),
        ("q=1+2+3+4+5+6+7", {"q": ["Search for at most 6 words of 200 characters altogether."]}),
        (f"q={'x' * 201}", {"q": ["Search for at most 6 words of 200 characters altogether."]}),
    ],
)
def test_what_cannot_be_understood_is_named(access: ObjectAccess, query: str, expected: dict[str, list[str]]) -> None:
    assert list_problems(access, query) == expected
    with pytest.raises(InvalidListError) as raised:
        read_list(access=access, parameters=QueryDict(query)).require_valid()
    assert raised.value.problems == expected


@pytest.mark.parametrize(
    "name", ["nothing__v", "-", "remarks__v", "person__c", "created_by__v", "--date__v", "date__v "]
)
def test_a_list_is_sorted_by_fields_that_have_an_order(access: ObjectAccess, name: str) -> None:
    sortable = ", ".join(name for name, each in access.shape.fields.items() if is_sortable(each))
    problems = list_problems(access, f"sort={name}")
    assert problems == {"sort": [f"Sort by one of {sortable}."]}


def test_nothing_is_listed_while_a_filter_cannot_be_understood(access: ObjectAccess) -> None:
    listed = read_list(access=access, parameters=QueryDict("passed__v=perhaps"))
    assert listed.list_records().count() == 0


def test_what_is_given_without_a_value_is_not_given(access: ObjectAccess) -> None:
    listed = read_list(access=access, parameters=QueryDict("passed__v=&q=+&method__v=&method__v=online__v&foo="))
    assert (listed.problems, listed.list_records().count()) == ({}, 3)
    assert drop_blanks(QueryDict("a=&b=1&b=&c=+&d=2")).urlencode() == "b=1&d=2"


def test_a_null_character_is_searched_for_as_a_gap(access: ObjectAccess) -> None:
    assert read_list(access=access, parameters=QueryDict("q=b%00")).list_records().count() == 2


def test_another_list_begins_at_its_first_page() -> None:
    parameters = QueryDict("a=1&a=2&cursor=x&sort=name__v")
    assert change_parameters(parameters).urlencode() == "a=1&a=2&sort=name__v"
    assert change_parameters(parameters, a=None, sort="-name__v").urlencode() == "sort=-name__v"
    assert change_parameters(parameters, a=["3", "4"], cursor="y").urlencode() == "sort=name__v&cursor=y&a=3&a=4"
    assert parameters.urlencode() == "a=1&a=2&cursor=x&sort=name__v"


# -- Columns ------------------------------------------------------------------------------------------------------


def test_columns_are_those_of_the_address_else_of_the_user_else_of_the_object(access: ObjectAccess) -> None:
    assert list_columns(access) == ["name__v", "status__v", "modified_date__v"]
    save_preference(user=access.user, object_name=OBJECT, columns=["date__v", "name__v", "gone__c", "text__c"])
    assert list_columns(access) == ["name__v", "date__v", "text__c"]
    assert list_columns(access, "columns=hours__v,hours__v,status__v") == ["name__v", "hours__v", "status__v"]
    assert list_columns(access, "columns=nothing__v") == ["name__v", "date__v", "text__c"]


def test_the_choice_of_one_user_and_object_is_no_other_s(access: ObjectAccess) -> None:
    save_preference(user=access.user, object_name="person__sys", columns=["name__v"])
    save_preference(user=open_trainings().user, object_name=OBJECT, columns=["name__v"], page_size=200)
    assert list_columns(access) == ["name__v", "status__v", "modified_date__v"]
    assert get_preference(user=access.user, object_name=OBJECT).page_size == 50


def test_page_size_is_that_of_the_address_else_of_the_user(access: ObjectAccess) -> None:
    save_preference(user=access.user, object_name=OBJECT, page_size=25)
    preference = get_preference(user=access.user, object_name=OBJECT)
    for query, expected in (("", 25), ("size=100", 100), ("size=999", 25)):
        listed = read_list(access=access, parameters=QueryDict(query))
        assert choose_size(listed=listed, preference=preference) == expected


def test_columns_are_written_as_they_are_read(access: ObjectAccess) -> None:
    listed = read_list(access=access, parameters=QueryDict("columns=date__v,text__c"))
    assert write_columns(listed.columns or ()) == "date__v,text__c"


def test_every_field_can_be_a_column_those_chosen_first(access: ObjectAccess) -> None:
    chosen = [access.shape.fields[name] for name in ("name__v", "passed__v")]
    offered = [each.api_name for each in list_choosable(shape=access.shape, chosen=chosen)]
    assert offered[:2] == ["name__v", "passed__v"]
    assert sorted(offered) == sorted(access.shape.fields)


@pytest.mark.parametrize(
    ("name", "step", "expected"),
    [("b", -1, "bac"), ("b", 1, "acb"), ("a", -1, "abc"), ("c", 1, "abc"), ("x", 1, "abc"), ("", 1, "abc")],
)
def test_a_column_moves_by_a_step(name: str, step: int, expected: str) -> None:
    assert "".join(move_column(names="abc", name=name, step=step)) == expected
