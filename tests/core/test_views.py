"""The health check, and the headers that protect browsers."""

from __future__ import annotations

import pytest
from django.db import OperationalError, connection
from django.test import Client

from tests.admin_forms import log_in_admin


@pytest.mark.django_db
def test_health_is_told_while_the_database_answers(client: Client) -> None:
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (200, {"status": "ok", "database": "answers"})


@pytest.mark.django_db
def test_health_is_refused_while_the_database_does_not_answer(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OperationalError("connection refused by 10.1.2.3")

    monkeypatch.setattr(connection, "cursor", refuse)
    response = client.get("/healthz")
    assert (response.status_code, response.json()) == (
        503,
        {"status": "unavailable", "database": "does not answer"},
    )


def test_health_is_asked_without_a_log_in_and_never_from_a_cache(client: Client, db: None) -> None:
    assert "no-store" in client.get("/healthz").headers["Cache-Control"]


def read_policy(client: Client, path: str) -> dict[str, str]:
    header = client.get(path).headers["Content-Security-Policy"]
    return dict(part.strip().split(" ", 1) for part in header.split(";"))


@pytest.mark.django_db
def test_the_vaults_own_pages_allow_nothing_inline(client: Client) -> None:
    log_in_admin(client)
    for path in ("/", "/login/", "/password/", "/nothing/"):
        policy = read_policy(client, path)
        assert policy["default-src"] == "'self'"
        assert "unsafe" not in str(policy)


@pytest.mark.django_db
def test_the_admin_theme_gets_what_it_needs_and_no_more(client: Client) -> None:
    log_in_admin(client)
    policy = read_policy(client, "/admin/")
    assert (policy["default-src"], policy["script-src"], policy["style-src"], policy["frame-ancestors"]) == (
        "'self'",
        "'self' 'unsafe-eval'",
        "'self' 'unsafe-inline'",
        "'none'",
    )


@pytest.mark.django_db
def test_pages_cannot_be_framed_or_sniffed(client: Client) -> None:
    headers = client.get("/login/").headers
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"], headers["Referrer-Policy"]) == (
        "DENY",
        "nosniff",
        "same-origin",
    )
