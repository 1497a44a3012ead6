"""Pages of other origins read the API if the settings name their origin: with a token, and never by a session."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client, override_settings
from rest_framework.test import APIClient

from ctms.settings.values import parse_web_origin
from tests.factories.accounts import UserFactory
from tests.factories.clinical import StudyFactory
from tests.records.api.conftest import Caller

pytestmark = pytest.mark.django_db

APP = "https://app.example.org"
OTHERS = (
    "https://evil.example",
    "null",
    "https://app.example.org.evil.example",
    "http://app.example.org",
    f"{APP}/",
    "*",
)
allows_app = override_settings(CORS_ALLOWED_ORIGINS=[APP])


def preflight(path: str = "/api/v1/study__v/", *, origin: str = APP) -> Any:
    headers = {"Origin": origin, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}
    return Client().options(path, headers=headers)


def list_cors(answer: Any) -> list[str]:
    return sorted(name for name in answer.headers if name.lower().startswith("access-control-"))


def test_nothing_is_said_unless_the_settings_name_an_origin(caller: Caller) -> None:
    answers = [caller.client.get("/api/v1/study__v/", headers={"Origin": APP}), preflight()]
    assert [list_cors(each) for each in answers] == [[], []]
    assert "Origin" not in answers[0].headers.get("Vary", "")
    assert answers[1].status_code == 401


@allows_app
def test_an_origin_that_is_named_reads_answers_and_refusals(caller: Caller) -> None:
    StudyFactory.create()
    for path, status in (("study__v/", 200), ("nothing__v/", 404), ("study__v/?x=1", 400)):
        answer = caller.client.get(f"/api/v1/{path}", headers={"Origin": APP})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, APP)
        assert {"ETag", "RateLimit-Remaining", "Retry-After"} <= set(
            answer.headers["Access-Control-Expose-Headers"].split(", ")
        )
        assert "Origin" in answer.headers["Vary"]
    refused = APIClient().get("/api/v1/study__v/", headers={"Origin": APP})
    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (401, APP)


@allows_app
def test_a_browser_is_told_what_a_page_may_send_before_it_logs_in() -> None:
    answer = preflight()
    assert (answer.status_code, answer.content) == (204, b"")
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "If-Match", "Idempotency-Key"} <= set(
        answer.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert "Origin" in answer.headers["Vary"]


@allows_app
@pytest.mark.parametrize("origin", OTHERS)
def test_another_origin_is_told_nothing_but_that_the_answer_varies(caller: Caller, origin: str) -> None:
    answers = [caller.client.get("/api/v1/study__v/", headers={"Origin": origin}), preflight(origin=origin)]
    assert [list_cors(each) for each in answers] == [[], []]
    assert all("Origin" in each.headers["Vary"] for each in answers)


@allows_app
def test_credentials_are_never_allowed_and_a_session_of_the_browser_is_not_read(client: Client) -> None:
    client.force_login(UserFactory.create(is_superuser=True))
    answers = [client.get("/api/v1/study__v/", headers={"Origin": APP}), preflight()]
    assert [each for each in answers if "Access-Control-Allow-Credentials" in each.headers] == []
    assert "X-CSRFToken" not in answers[1].headers["Access-Control-Allow-Headers"]


@allows_app
@pytest.mark.parametrize("path", ["/", "/login/", "/admin/", "/profile/", "/healthz", "/apix/"])
def test_pages_are_open_to_no_other_origin(client: Client, path: str) -> None:
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    assert list_cors(client.get(path, headers={"Origin": APP})) == []
    assert list_cors(preflight(path)) == []


@pytest.mark.parametrize(
    "text", [APP, "https://app.example.org:8443", "http://localhost:5173", "https://[2001:db8::1]:8443"]
)
def test_origins_are_read_as_browsers_send_them(text: str) -> None:
    assert parse_web_origin(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "null",
        "app.example.org",
        "https://*.example.org",
        "http://app.example.org",
        "https://app.example.org/",
        "https://app.example.org/path",
        "https://App.example.org",
        "https://app.example.org:443",
        "https://me@app.example.org",
        "ftp://app.example.org",
        "https://app.example.org:x",
    ],
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"origin|usual port|[Pp]ort"):
        parse_web_origin(text)
