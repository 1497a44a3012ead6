"""Pages of lists for the API, with the same parameters as the study teams' lists."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from rest_framework.request import Request

from ctms.records.access import ObjectAccess
from ctms.records.api.serializers import show_records
from ctms.records.fields.values import select_references
from ctms.records.lists.order.keyset_pagination import COUNT_CAP, count_capped, cut_page
from ctms.records.lists.query import COLUMNS, CURSOR, GROUP, QUERY, SIZE, VIEW, InvalidListError, ListQuery, read_list

DEFAULT_SIZE, LARGEST_SIZE = 50, 200


def build_page(*, request: Request, access: ObjectAccess) -> dict[str, Any]:
    """Build the page of the list that the request's parameters describe.

    Raises InvalidListError naming every parameter that cannot be understood, and InvalidCursorError.
    """
    query, size = _read_query(access=access, parameters=request.query_params)
    records = query.list_records()
    page = cut_page(
        records=select_references(records=records, fields=access.shape.fields.values()),
        sort=query.sort,
        size=size,
        cursor=query.parameters.get(CURSOR, ""),
    )
    count = count_capped(records)
    return {
        "count": min(count, COUNT_CAP),
        "count_is_capped": count > COUNT_CAP,
        "next": build_url(request=request, cursor=page.next_cursor),
        "previous": build_url(request=request, cursor=page.previous_cursor),
        "results": show_records(records=page.rows, access=access),
    }


def _read_query(*, access: ObjectAccess, parameters: QueryDict) -> tuple[ListQuery, int]:
    query = read_list(access=access, parameters=parameters)
    problems = dict(query.problems)
    for name in (COLUMNS, GROUP, VIEW):
        if name in parameters:
            problems[name] = ["This is a parameter of pages. Leave it out."]
    for name in set(parameters).difference((QUERY, CURSOR)):
        # The list page's form sends unused filters empty; a program that sends one empty has lost its value.
        if "" in parameters.getlist(name):
            problems[name] = ["Give a value, or leave it out."]
    size = read_size(parameters, problems=problems)
    if problems:
        raise InvalidListError(problems)
    return query, size


def read_size(parameters: QueryDict, *, problems: dict[str, list[str]]) -> int:
    """Return how many records a page has; 0, with a problem, if the parameter is no such number."""
    text = parameters.get(SIZE, str(DEFAULT_SIZE))
    size = int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(LARGEST_SIZE)) else 0
    if not 1 <= size <= LARGEST_SIZE:
        problems[SIZE] = [f"Ask for 1 to {LARGEST_SIZE} records."]
        return 0
    return size


def build_url(*, request: Request, cursor: str | None) -> str | None:
    """Return the address of another page of what the request asks for; None without a cursor."""
    if cursor is None:
        return None
    parameters = request.query_params.copy()
    parameters[CURSOR] = cursor
    return request.build_absolute_uri(f"?{parameters.urlencode()}")
