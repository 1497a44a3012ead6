"""Pages of lists for the API, with the same filters as the study teams' lists."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from django.http import QueryDict
from rest_framework.request import Request

from ctms.records.access import ObjectAccess
from ctms.records.api.csv import CSV
from ctms.records.api.cursors import COUNT, EXPAND, FIELDS, FORMAT, build_url, read_place
from ctms.records.api.showing import Showing, read_showing
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, Sort, cut_page
from ctms.records.lists.query import (
    COLUMNS,
    CURSOR,
    GROUP,
    QUERY,
    SIZE,
    SORT,
    VIEW,
    InvalidListError,
    ListQuery,
    read_list,
    read_sort,
)

DEFAULT_SIZE, LARGEST_SIZE = 50, 1000
MOST_SORTS = 3
JSON = "json"
_OF_PAGES = (COLUMNS, GROUP, VIEW)
_OWN = (CURSOR, SIZE, SORT, FIELDS, EXPAND, COUNT, FORMAT)
_CHOICES = {COUNT: ("true", "false"), FORMAT: (JSON, CSV)}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRequest:
    """What a request asks a list for. `counts_all` asks for the exact number of its records, however many they are."""

    query: ListQuery
    size: int
    showing: Showing
    counts_all: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAnswer:
    """A page as JSON, and what tells it from others: addresses of pages are encrypted, and never the same twice."""

    body: dict[str, Any]
    told: Any


def read_list_request(*, parameters: QueryDict, access: ObjectAccess) -> ListRequest:
    """Read the parameters of a list. Raises InvalidListError naming every parameter that cannot be understood."""
    filters = parameters.copy()
    for name in _OWN:
        filters.pop(name, None)
    query = read_list(access=access, parameters=filters, takes_instants=True)
    problems = dict(query.problems)
    query = replace(query, sort=_read_sorts(access=access, parameters=parameters, problems=problems))
    for name in _OF_PAGES:
        if name in parameters:
            problems[name] = ["This is a parameter of pages. Leave it out."]
    showing = read_showing(access=access, parameters=parameters, problems=problems)
    size = read_size(parameters, problems=problems)
    _check_own(parameters, problems=problems)
    if problems:
        raise InvalidListError(problems)
    counts_all = parameters.get(COUNT) == _CHOICES[COUNT][0]
    return ListRequest(query=query, size=size, showing=showing, counts_all=counts_all)


def build_page(*, request: Request, asked: ListRequest) -> ListAnswer:
    """Build the page that a request asks for. Raises InvalidCursorError."""
    place = read_place(request, knows_last=True)
    query = asked.query
    found = query.look_around()
    records = asked.showing.select(found.records)
    page = cut_page(records=records, sort=query.sort, size=asked.size, cursor=place, many=found.many)
    count = found.number
    if asked.counts_all and count > COUNT_CAP:
        count = query.list_records().order_by().count()
    is_capped = not asked.counts_all and count > COUNT_CAP
    counted = {"count": COUNT_CAP if is_capped else count, "count_is_capped": is_capped}
    results = asked.showing.show(page.rows)
    return ListAnswer(
        body={
            **counted,
            "next": build_url(request=request, place=page.next_cursor),
            "previous": build_url(request=request, place=page.previous_cursor),
            "results": results,
        },
        told=[counted, page.next_cursor, page.previous_cursor, results],
    )


def read_size(parameters: QueryDict, *, problems: dict[str, list[str]]) -> int:
    """Return how many records a page has; 0, with a problem, if the parameter is no such number."""
    text = parameters.get(SIZE, str(DEFAULT_SIZE))
    size = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_SIZE)) else 0
    if not 1 <= size <= LARGEST_SIZE:
        problems[SIZE] = [f"Ask for 1 to {LARGEST_SIZE} records."]
        return 0
    return size


def _check_own(parameters: QueryDict, *, problems: dict[str, list[str]]) -> None:
    """Add what is wrong with parameters that no page has, and with those that are empty or repeated."""
    for name, choices in _CHOICES.items():
        if parameters.get(name, choices[0]) not in choices:
            problems[name] = [f"Give {' or '.join(choices)}."]
    for name in _OWN:
        if len(parameters.getlist(name)) > 1:
            problems[name] = ["This is given more than once. Give it once."]
    for name in set(parameters).difference((QUERY,)):
        # The list page's form sends unused filters empty; a program that sends one empty has lost its value.
        if "" in parameters.getlist(name):
            problems[name] = ["Give a value, or leave it out."]


def _read_sorts(*, access: ObjectAccess, parameters: QueryDict, problems: dict[str, list[str]]) -> Sort:
    """Return the order of a list by one field, or by several with commas between. A field counts where it is first."""
    names: dict[str, str] = {}
    for name in parameters.get(SORT, "").split(","):
        names.setdefault(name.removeprefix("-"), name)
    first, *further = [read_sort(access=access, name=name, problems=problems) for name in names.values()]
    if SORT in parameters and "" in names:
        problems[SORT] = ["Put fields between the commas."]
    if len(names) > MOST_SORTS:
        problems[SORT] = [f"Sort by at most {MOST_SORTS} fields."]
    return replace(first, further=tuple(further))
