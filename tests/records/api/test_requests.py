"""Every request to the API: authentication, content types, limits and the shape of refusals."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from ctms.clinical.models import Study
from ctms.records.api.parsing import LARGEST_BODY
from ctms.records.api.problems import PROBLEM_TYPES
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory
from tests.records.api.conftest import Caller, list_errors

pytestmark = pytest.mark.django_db


def send(caller: Caller, body: Any, content_type: str = "application/json") -> Any:
    return caller.client.generic("POST", "/api/v1/study__v/", body, content_type=content_type)


def check_problem(response: Any, status: int) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert (body["type"], body["status"]) == (f"/api/v1/problems/{body['code']}/", status)
    assert PROBLEM_TYPES[body["code"]].status == status
    return body


def test_visitors_are_asked_for_a_token() -> None:
    response = APIClient().get("/api/v1/study__v/")
    body = check_problem(response, 401)
    assert (body["title"], response.headers["WWW-Authenticate"]) == ("Unauthorized", 'Bearer realm="api"')


def test_addresses_that_do_not_exist_are_problems_as_well(caller: Caller) -> None:
    study = StudyFactory.create()
    for path in ("nothing__v/", f"study__v/{study.uid}", "study__v/1/", "", "study__v/a/b/c", "connection__sys/"):
        for method in ("get", "post", "patch", "put", "delete"):
            response = getattr(caller.client, method)(f"/api/v1/{path}", {})
            assert response.headers["Content-Type"] == "application/problem+json", (path, method)
            assert response.status_code in ((404, 405) if path.endswith("__v/") or "__sys/" in path else (404,))
    missing = caller.get("nothing__v/")
    assert check_problem(missing, 404)["detail"] == "There is no object nothing__v."


@pytest.mark.parametrize("method", ["put", "options", "trace", "delete"])
def test_methods_that_a_list_does_not_have_are_refused_with_those_that_it_has(caller: Caller, method: str) -> None:
    response = caller.client.generic(method.upper(), "/api/v1/study__v/")
    check_problem(response, 405)
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_only_json_is_understood_and_given(caller: Caller) -> None:
    check_problem(send(caller, "name__v=X", "application/x-www-form-urlencoded"), 415)
    check_problem(send(caller, "<a/>", "text/xml"), 415)
    check_problem(caller.client.get("/api/v1/study__v/", headers={"Accept": "text/html"}), 406)
    assert Study.objects.count() == 0


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        '{"name__v": NaN}',
        '{"name__v": "\\ud800"}',
        "[" * 100_000,
        '{"name__v": ' + "9" * 5000 + "}",
        b'{"name__v": "\xff"}',
        "null",
        "[]",
        '"name__v"',
        '{"name__v": "a\\u0000b"}',
        '{"\\ud800": 1, "name__v": "X"}',
        '{"": 1, "name__v": "X"}',
    ],
)
def test_a_body_that_is_no_object_of_values_is_refused(caller: Caller, body: str | bytes) -> None:
    check_problem(send(caller, body), 400)
    assert Study.objects.count() == 0


def test_a_body_larger_than_any_record_is_refused_unread(caller: Caller) -> None:
    body = json.dumps({"name__v": "S-1", "protocol_title__v": "x" * LARGEST_BODY})
    check_problem(send(caller, body), 413)
    check_problem(send(caller, json.dumps({"name__v": "S-1", "sponsor__v": "x" * 300})), 400)


def test_errors_that_quote_what_was_sent_can_be_read(caller: Caller) -> None:
    response = send(caller, '{"name__v": "S-1", "f\\u00fcr": 1, "\\ud83d\\ude00": 2}')
    assert list_errors(response) == {
        "für": "Study has no field of this name. Leave it out.",
        "\U0001f600": "Study has no field of this name. Leave it out.",
    }


@pytest.mark.parametrize("name", ["\\ud800", "a\\udfffb", "a\\u0000b", "\\ude00\\ud83d"])
@pytest.mark.parametrize("path", ["study__v/", "study__v/batch/"])
def test_names_that_are_no_text_are_refused_before_anything_is_written(caller: Caller, path: str, name: str) -> None:
    """An answer that quotes such a name cannot be sent: rows beside it would be saved, and nobody told."""
    good, bad = '{"name__v": "S-1"}', f'{{"name__v": "S-2", "{name}": 1}}'
    rows = ", ".join(f'{{"operation": "create", "values": {each}}}' for each in (good, bad))
    body = f'{{"rows": [{rows}]}}' if path.endswith("batch/") else bad
    for headers in ({}, {"Idempotency-Key": "k-1"}):
        response = caller.client.generic(
            "POST", f"/api/v1/{path}", body, content_type="application/json", headers=headers
        )
        assert "which is no text. Leave it out." in check_problem(response, 400)["detail"]
    assert Study.objects.count() == 0


def test_a_session_reads_and_writes_with_its_csrf_token_alone() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(UserFactory.create(is_superuser=True))
    assert client.get("/api/v1/study__v/").status_code == 200
    body = json.dumps({"name__v": "S-1"})
    refused = client.post("/api/v1/study__v/", body, content_type="application/json")
    assert "CSRF" in check_problem(refused, 403)["detail"]
    token = str(client.get("/profile/").context["csrf_token"])
    created = client.post("/api/v1/study__v/", body, content_type="application/json", headers={"X-CSRFToken": token})
    assert created.status_code == 201


def test_answers_are_not_kept_by_anybody(caller: Caller) -> None:
    study = StudyFactory.create()
    for path in ("study__v/", f"study__v/{study.uid}/", "objects/", "nothing__v/"):
        assert caller.get(path).headers["Cache-Control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def test_a_head_request_is_answered_as_a_get_without_body(caller: Caller) -> None:
    study = StudyFactory.create()
    response = caller.client.head(f"/api/v1/study__v/{study.uid}/")
    read = caller.get(f"study__v/{study.uid}/")
    assert (response.status_code, response.headers["ETag"], response.content) == (200, read.headers["ETag"], b"")
