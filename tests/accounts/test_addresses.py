"""The address of a client: forwarded headers are believed from trusted proxies alone, and nobody can make one up."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory, override_settings
from structlog.contextvars import get_contextvars

from ctms.accounts.addresses import get_client_address
from ctms.accounts.middleware import ClientAddressMiddleware
from tests.web_server import run_web_server

PROXIES = [ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("2001:db8:1::/64")]


@pytest.fixture(autouse=True)
def _trust_proxies() -> Iterator[None]:
    with override_settings(TRUSTED_PROXIES=PROXIES, SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https")):
        yield


def build_request(peer: str, forwarded: str = "", **headers: Any) -> HttpRequest:
    more: Any = {"HTTP_X_FORWARDED_FOR": forwarded} if forwarded else {}
    return RequestFactory().get("/", REMOTE_ADDR=peer, **more, **headers)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("192.0.2.7", "", "192.0.2.7"),
        ("192.0.2.7", "198.51.100.1", "192.0.2.7"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1", "198.51.100.1"),
        ("10.0.0.1", "127.0.0.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "198.51.100.1:54321", "198.51.100.1"),
        ("2001:db8:1::5", "[2001:db8:2::9]:443", "2001:db8:2::9"),
        ("::ffff:10.0.0.1", "::ffff:198.51.100.1", "198.51.100.1"),
        ("fe80::1%eth0", "", "fe80::1"),
        ("10.0.0.1", "unknown", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, garbage", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1,,", "10.0.0.1"),
        ("10.0.0.1", "198.51.100.1, \x00, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "9" * 5000, "10.0.0.1"),
        ("", "198.51.100.1", ""),
        ("no address", "198.51.100.1", ""),
    ],
)
def test_the_address_is_the_last_one_that_a_trusted_proxy_wrote(peer: str, forwarded: str, expected: str) -> None:
    assert get_client_address(build_request(peer, forwarded)) == expected


def handle(request: HttpRequest) -> tuple[HttpRequest, dict[str, Any]]:
    """Send a request through the middleware; return it as views see it, and what their log lines say besides."""
    seen: dict[str, Any] = {}

    def answer(_request: HttpRequest) -> HttpResponse:
        seen.update(get_contextvars())
        return HttpResponse()

    ClientAddressMiddleware(answer)(request)
    return request, seen


def test_behind_a_trusted_proxy_everything_sees_the_client_and_its_scheme() -> None:
    request, logged = handle(build_request("10.0.0.1", "198.51.100.1", HTTP_X_FORWARDED_PROTO="https"))
    assert (request.META["REMOTE_ADDR"], request.is_secure(), logged) == (
        "198.51.100.1",
        True,
        {"ip": "198.51.100.1"},
    )
    assert get_client_address(request) == "198.51.100.1"


def test_a_client_that_makes_headers_up_changes_nothing() -> None:
    request, logged = handle(
        build_request("192.0.2.7", "10.0.0.9, 127.0.0.1", HTTP_X_FORWARDED_PROTO="https", HTTP_X_FORWARDED_HOST="evil")
    )
    assert (request.META["REMOTE_ADDR"], request.is_secure(), logged) == ("192.0.2.7", False, {"ip": "192.0.2.7"})
    assert not [name for name in request.META if name.startswith("HTTP_X_FORWARDED")]


def test_what_a_request_bound_to_the_log_does_not_stay_for_the_next() -> None:
    handle(build_request("192.0.2.7"))
    assert "ip" not in get_contextvars()


@pytest.mark.system
@pytest.mark.parametrize(("proxies", "logged"), [("127.0.0.1", "198.51.100.1"), ("", "127.0.0.1")])
def test_gunicorn_hands_the_headers_on_and_the_log_names_the_client(proxies: str, logged: str) -> None:
    """A refused host is the first thing that gets into the log. No proxy is trusted unless it is named."""
    headers = {
        "Host": "evil.example.com",
        "X-Forwarded-For": "203.0.113.5, 198.51.100.1",
        "X-Real-IP": "203.0.113.5",
    }
    with run_web_server(TRUSTED_PROXIES=proxies) as server:
        assert requests.get(f"{server.url}/api/v1/", headers=headers, timeout=180).status_code == 400
        assert server.wait_for_event("evil.example.com")["ip"] == logged


@pytest.mark.system
@pytest.mark.parametrize(("proxies", "status"), [("127.0.0.1", 503), ("", 301)])
def test_only_a_trusted_proxy_says_that_a_request_came_over_https(proxies: str, status: int) -> None:
    headers = {"Host": "vault.example.org", "X-Forwarded-Proto": "https"}
    with run_web_server(TRUSTED_PROXIES=proxies) as server:
        answer = requests.get(f"{server.url}/api/v1/objects/", headers=headers, timeout=180, allow_redirects=False)
    assert answer.status_code == status
