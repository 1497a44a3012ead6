"""The OpenAPI document of `/api/v1` breaks no program: it is compared with the copy in `frozen_document.json`.

After an addition: `FREEZE_DOCUMENT=1 pytest -n 0 tests/records/api/test_frozen_document.py` writes the copy again. It
does not where something breaks programs. That is a new version of the API, at an address of its own.
"""

from __future__ import annotations

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ctms.configuration.registry import get_object, list_record_objects
from tests.records.api.breaking_changes import find_breaks, reduce_document
from tests.records.api.conftest import Caller, read_schema

FROZEN = Path(__file__).with_name("frozen_document.json")
SITES, SITE = "GET /api/v1/site__v/", "GET /api/v1/site__v/{uid}/"
NEW = "POST /api/v1/site__v/"

Document = dict[str, dict[str, Any]]


def read_frozen() -> Document:
    frozen: Document = json.loads(FROZEN.read_text(encoding="utf-8"))
    return frozen


def write_frozen(document: Document) -> None:
    """Write an operation or a schema a line, so that a comparison of files shows which one changed."""
    parts = [
        f'"{part}": {{\n'
        + ",\n".join(f"{json.dumps(name)}: {json.dumps(each, sort_keys=True)}" for name, each in sorted(whole.items()))
        + "\n}"
        for part, whole in document.items()
    ]
    FROZEN.write_text("{\n" + ",\n".join(parts) + "\n}\n", encoding="utf-8")


@pytest.mark.django_db
def test_the_document_breaks_no_program_and_what_is_new_is_frozen(caller: Caller) -> None:
    of_tests = {
        each.api_name for each in list_record_objects() if get_object(each.api_name).model.__module__[:6] == "tests."
    }
    now = reduce_document(read_schema(caller), without=frozenset(of_tests))
    assert find_breaks(read_frozen(), now) == []
    if os.environ.get("FREEZE_DOCUMENT"):
        write_frozen(now)
    assert now == read_frozen(), "Something was added: FREEZE_DOCUMENT=1 writes it into the copy."


def change(path: str, value: Any) -> Callable[[Document], None]:
    """Return what sets the value at a path, its steps parted by ` > `; None deletes it."""

    def apply(document: Document) -> None:
        *steps, last = path.split(" > ")
        place: Any = document
        for step in steps:
            place = place[step]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return apply


PROPERTIES = "schemas > {} > properties"
STRING, NUMBER, MAYBE = {"type": "string"}, {"type": "number"}, {"type": ["string", "null"]}

BREAKS: list[tuple[Callable[[Document], None], str]] = [
    (change(f"operations > {SITES}", None), f"{SITES}: there is no such operation any more"),
    (change(f"operations > {SITE} > id", "get"), f"{SITE}: its operationId was read_site__v and is get"),
    (change(f"operations > {SITES} > parameters > query q", None), f"{SITES}: the parameter query q is gone"),
    (
        change(f"operations > {SITES} > parameters > query q > required", value=True),
        f"{SITES}: the parameter query q is required now",
    ),
    (
        change(f"operations > {SITES} > parameters > query new", {"required": True, "schema": STRING}),
        f"{SITES}: the parameter query new is required now",
    ),
    (
        change(f"operations > {SITES} > parameters > query size > schema > maximum", 100),
        f"{SITES} query size: its maximum was 1000 and is 100",
    ),
    (change(f"operations > {SITE} > answers > 200", None), f"{SITE} 200: it is not answered any more"),
    (change(f"operations > {SITE} > answers > 200 > headers", []), f"{SITE} 200: the header ETag is gone"),
    (
        change(f"operations > {NEW} > body > application/json", None),
        f"{NEW} body: it is not application/json any more",
    ),
    (
        change(f"{PROPERTIES.format('site__v')} > city__v", None),
        "site__v, which comes out: city__v is gone",
    ),
    (
        change("schemas > site__v > required", []),
        "site__v, which comes out: city__v may be left out now",
    ),
    (
        change(f"{PROPERTIES.format('site__v')} > name__v", MAYBE),
        "site__v, which comes out .name__v: null may come now",
    ),
    (
        change(f"{PROPERTIES.format('site__v')} > name__v", NUMBER),
        "site__v, which comes out .name__v: number may come now",
    ),
    (
        change(f"{PROPERTIES.format('site__v')} > state__v", STRING),
        "site__v, which comes out .state__v: it may be anything now",
    ),
    (
        change(f"{PROPERTIES.format('site__v')} > last_contact__v > format", "date-time"),
        "site__v, which comes out .last_contact__v: its format was date and is date-time",
    ),
    (change(f"{PROPERTIES.format('site__v_new')} > city__v", None), "site__v_new, which goes in: city__v is gone"),
    (
        change("schemas > site__v_new > required", ["name__v", "study_country__v", "city__v"]),
        "site__v_new, which goes in: city__v is required now",
    ),
    (
        change(f"{PROPERTIES.format('site__v_change')} > city__v", STRING),
        "site__v_change, which goes in .city__v: null is not taken any more",
    ),
    (
        change(f"{PROPERTIES.format('site__v_new')} > name__v > maxLength", 64),
        "site__v_new, which goes in .name__v: its maxLength was 128 and is 64",
    ),
    (
        change("schemas > site__v_state__v > enum", ["active_state__v"]),
        "site__v_new, which goes in .state__v: candidate_state__v is not taken any more",
    ),
    (
        change("schemas > ReferenceInput > oneOf", [STRING]),
        "site__v_new, which goes in .study_country__v: object is not taken any more",
    ),
    (
        change("schemas > BatchCreate > properties > values > additionalProperties", value=False),
        "BatchRequest, which goes in .rows .items .values: other members are not taken any more",
    ),
]


@pytest.mark.parametrize(("apply", "told"), BREAKS, ids=[told for _, told in BREAKS])
def test_a_break_is_told(apply: Callable[[Document], None], told: str) -> None:
    frozen, now = read_frozen(), read_frozen()
    apply(now)
    assert told in find_breaks(frozen, now)


@pytest.mark.parametrize(
    "apply",
    [
        change("operations > GET /api/v1/new/", {"id": "new", "parameters": {}, "body": {}, "answers": {}}),
        change(f"operations > {SITES} > parameters > query new", {"required": False, "schema": STRING}),
        change(f"operations > {SITES} > parameters > query size > schema > maximum", 2000),
        change(f"{PROPERTIES.format('site__v')} > new__v", MAYBE),
        change(f"{PROPERTIES.format('site__v')} > city__v", STRING),
        change(f"{PROPERTIES.format('site__v_new')} > new__v", MAYBE),
        change(f"{PROPERTIES.format('site__v_new')} > name__v > maxLength", 200),
        change("schemas > site__v_new > required", []),
    ],
)
def test_an_addition_breaks_nothing(apply: Callable[[Document], None]) -> None:
    frozen, now = read_frozen(), read_frozen()
    before = copy.deepcopy(now)
    apply(now)
    assert now != before
    assert find_breaks(frozen, now) == []


def test_a_further_value_of_a_list_breaks_nothing() -> None:
    frozen, now = read_frozen(), read_frozen()
    now["schemas"]["site__v_state__v"]["enum"].append("new_state__v")
    assert find_breaks(frozen, now) == []
