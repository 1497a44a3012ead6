"""Cursors are for one user and one list, and say nothing."""

from __future__ import annotations

import base64
import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.factories.accounts import UserFactory
from tests.factories.clinical import PersonFactory, StudyFactory
from tests.records.api.conftest import Caller, build_caller, list_errors

pytestmark = pytest.mark.django_db


@pytest.fixture
def _people(db: None) -> None:
    for number in range(4):
        PersonFactory.create(last_name=f"Secretive{number}", first_name="")


def read_cursor(response: Any) -> str:
    address: str = response.json()["next"]
    [cursor] = parse_qs(urlsplit(address).query)["cursor"]
    return cursor


def is_refused(response: Any) -> bool:
    return response.status_code == 400 and list(list_errors(response)) == ["cursor"]


@pytest.mark.usefixtures("_people")
def test_a_cursor_is_good_with_the_filters_and_the_order_that_it_was_given_for(caller: Caller) -> None:
    asked = {"sort": "name__v", "status__v": "active__v"}
    cursor = read_cursor(caller.get("person__sys/", size=1, **asked))

    def ask(**parameters: Any) -> Any:
        return caller.get("person__sys/", cursor=cursor, **parameters)

    assert len(ask(size=2, **asked).json()["results"]) == 2
    assert ask(fields="name__v", count="true", format="json", **asked).status_code == 200
    assert is_refused(ask(**asked, q="Secretive"))
    assert is_refused(ask(sort="name__v"))
    assert is_refused(ask(**asked | {"sort": "-name__v"}))
    assert is_refused(ask(**asked | {"sort": "name__v,email__sys"}))
    assert is_refused(ask(**asked | {"status__v": ["active__v", "inactive__v"]}))
    assert is_refused(caller.get("study__v/", cursor=cursor, **asked))


@pytest.mark.usefixtures("_people")
def test_the_cursor_of_another_user_is_refused(caller: Caller) -> None:
    cursor = read_cursor(caller.get("person__sys/", size=1))
    other = build_caller(UserFactory.create(is_superuser=True))
    assert caller.get("person__sys/", cursor=cursor).status_code == 200
    assert is_refused(other.get("person__sys/", cursor=cursor))


@pytest.mark.usefixtures("_people")
def test_a_cursor_does_not_tell_the_values_of_the_record_at_which_a_page_ends(caller: Caller) -> None:
    cursor = read_cursor(caller.get("person__sys/", size=1, sort="name__v"))
    parts = [cursor, *(base64.urlsafe_b64decode(part + "==").decode("latin-1") for part in re.split("[.:]", cursor))]
    assert not any("Secretive" in part for part in parts)


def test_an_altered_cursor_is_refused(caller: Caller) -> None:
    StudyFactory.create_batch(2)
    cursor = read_cursor(caller.get("study__v/", size=1))
    assert is_refused(caller.get("study__v/", cursor=cursor[:-6] + ("A" if cursor[-6] != "A" else "B") + cursor[-5:]))
