"""Each request is one line with an id, which its answer and its error page show."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client
from django.urls import path
from structlog.testing import capture_logs

from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.core.request_log import get_request_id
from ctms.urls import urlpatterns as site_patterns
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db


def fail(_request: HttpRequest) -> HttpResponse:
    raise RuntimeError("The end")


def name_request(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(get_request_id())


urlpatterns = [path("fail/", fail), path("id/", name_request), path("livez", name_request), *site_patterns]


def find_line(lines: list[Any]) -> dict[str, Any]:
    found = [line for line in lines if line["event"] == "request"]
    assert len(found) == 1
    return dict(found[0])


def test_a_request_is_a_line_with_the_users_key_and_without_its_query(client: Client) -> None:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    with capture_logs() as lines:
        response = client.get("/records/study__v/?q=canary")
    line = find_line(lines)
    assert (line["method"], line["path"], line["status"], line["user"]) == ("GET", "/records/study__v/", 200, user.pk)
    assert isinstance(line["ms"], int)
    assert "canary" not in str(lines)
    assert user.username not in str(lines)
    assert len(response.headers["X-Request-ID"]) == 32


def test_a_stranger_has_no_key_and_a_refused_request_has_a_line(client: Client) -> None:
    with capture_logs() as lines:
        response = client.get("/nowhere/", HTTP_HOST="elsewhere.example.org")
    assert response.status_code == 400
    assert (find_line(lines)["status"], find_line(lines)["user"]) == (400, None)
    assert response.headers["X-Request-ID"]


@pytest.mark.urls(__name__)
def test_the_error_page_shows_the_id_of_its_answer(client: Client) -> None:
    client.raise_request_exception = False
    response = client.get("/fail/")
    assert response.status_code == 500
    assert response.headers["X-Request-ID"] in response.content.decode()


@pytest.mark.urls(__name__)
def test_a_trusted_proxy_says_the_id_and_nobody_else(client: Client, settings: Any) -> None:
    given = "from-the-proxy_1"
    assert client.get("/id/", headers={"X-Request-ID": given}).content.decode() != given
    settings.TRUSTED_PROXIES = [ip_network("127.0.0.1")]
    assert client.get("/id/", headers={"X-Request-ID": given}).content.decode() == given
    wrong = client.get("/id/", headers={"X-Request-ID": "short or\tstrange"})
    assert len(wrong.content) == 32
    assert get_request_id() == ""


@pytest.mark.urls(__name__)
def test_probes_are_not_logged(client: Client) -> None:
    with capture_logs() as lines:
        client.get("/livez")
    assert lines == []


def test_the_user_of_a_token_is_told(client: Client) -> None:
    user = UserFactory.create(is_superuser=True)
    _, text = create_token(name="Tests", days=1, actor=Actor(user=user, source="api"))
    with capture_logs() as lines:
        client.get("/api/v1/", headers={"Authorization": f"Bearer {text}"})
    assert find_line(lines)["user"] == user.pk
