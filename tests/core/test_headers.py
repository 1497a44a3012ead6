"""Every answer has the headers that keep pages to those who asked for them; refused requests too."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from django.test import Client

from tests.admin_forms import log_in_admin
from tests.factories.clinical import StudyFactory


def assert_has_headers(headers: Mapping[str, str]) -> None:
    assert "no-store" in headers["Cache-Control"]
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"], headers["Referrer-Policy"]) == (
        "nosniff",
        "DENY",
        "same-origin",
    )


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/records/study__v/", "/admin/", "/api/v1/study__v/", "/nothing/"])
def test_what_a_page_shows_is_kept_by_no_cache(client: Client, address: str) -> None:
    log_in_admin(client)
    StudyFactory.create()
    headers = client.get(address).headers
    assert_has_headers(headers)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/login/", "/admin/"])
def test_a_request_that_is_refused_before_any_page_has_them_too(client: Client, address: str) -> None:
    refused = client.get(address, headers={"host": "evil.example.com"})
    assert refused.status_code == 400
    assert_has_headers(refused.headers)
    assert "default-src 'self'" in refused.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_a_form_without_a_token_is_refused_with_them() -> None:
    refused = Client(enforce_csrf_checks=True).post("/login/", {"username": "x", "password": "y"})
    assert refused.status_code == 403
    assert_has_headers(refused.headers)
    assert "Content-Security-Policy" in refused.headers
