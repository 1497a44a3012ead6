"""Requests that are refused before a page has read them: what is said, and that the connection stays usable."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory, override_settings

from ctms.core.refusals import RequestBodyMiddleware
from ctms.records.bulk.imports.files import MOST_BYTES
from tests.core.test_headers import assert_has_headers
from tests.web_server import WebServer, run_web_server

MEGABYTE = 1024 * 1024
HOST = "localhost"
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def web_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebServer]:
    # Production's pages are drawn with collected static files, whose collecting takes seconds.
    folder = str(tmp_path_factory.mktemp("var"))
    # A connection that nothing comes over for a moment is not one that a refusal closed.
    with run_web_server(
        arguments=("--keep-alive", "60"), DJANGO_SETTINGS_MODULE="ctms.settings.embedded", VAULT_VAR_DIR=folder
    ) as server:
        yield server


@pytest.fixture
def connection(web_server: WebServer) -> Iterator[http.client.HTTPConnection]:
    made = http.client.HTTPConnection(urlsplit(web_server.url).netloc, timeout=60)
    yield made
    made.close()


def send(connection: http.client.HTTPConnection, path: str, body: bytes, *, host: str = HOST) -> tuple[int, str]:
    """Send a request over the connection, and another one that can only be answered if it is still usable."""
    # With the cookie the body is read for its token.
    sent = {"Host": host, "Content-Type": FORM, "Cookie": f"csrftoken={'x' * 32}"}
    connection.request("POST", path, body, headers=sent)
    answer = connection.getresponse()
    page = answer.read().decode()
    assert_has_headers(dict(answer.headers))
    socket = connection.sock
    connection.request("GET", "/livez", headers={"Host": HOST})
    again = connection.getresponse()
    again.read()
    assert (again.status, connection.sock) == (200, socket), "the connection was closed"
    return answer.status, page


@pytest.mark.system
@pytest.mark.parametrize("size", [3 * MEGABYTE, 20 * MEGABYTE], ids=["too-much-text", "too-large"])
def test_what_is_too_large_is_413_with_the_limit_and_the_connection_goes_on(
    connection: http.client.HTTPConnection, size: int
) -> None:
    status, page = send(connection, "/login/", b"a=" + b"x" * size)
    assert status == 413
    assert "2.5 MB of typed text and 16 MB with files. Go back, where what you typed still is" in page


@pytest.mark.system
def test_the_api_says_so_as_a_problem(connection: http.client.HTTPConnection) -> None:
    status, problem = send(connection, "/api/v1/study__v/", b"x" * 20 * MEGABYTE)
    assert status == 413
    assert '"title": "Request Entity Too Large"' in problem
    assert "16 MB with files" in problem


@pytest.mark.system
@pytest.mark.parametrize(
    ("path", "host", "status"),
    # Whether anything may be written now is asked of the database, which this server does not have.
    [("/login/", "evil.example.com", 400), ("/login/", HOST, 503), ("/api/v1/nothing/", HOST, 503)],
)
def test_any_refused_request_with_a_large_body_leaves_the_connection_usable(
    connection: http.client.HTTPConnection, path: str, host: str, status: int
) -> None:
    assert send(connection, path, b"a=" + b"x" * 2 * MEGABYTE, host=host)[0] == status


def test_a_file_to_import_fits_into_a_request() -> None:
    assert settings.LARGEST_REQUEST > MOST_BYTES + MEGABYTE


@override_settings(VAULT_BASE_URL="https://vault.example.org")
@pytest.mark.parametrize("path", ["/login/", "/admin/", "/api/v1/objects/"])
def test_another_host_is_told_where_the_vault_is(path: str) -> None:
    refused = Client().get(path, headers={"host": "evil.example.com"})
    assert refused.status_code == 400
    assert "The Vault is not at this address. Open https://vault.example.org instead." in refused.content.decode()
    assert_has_headers(refused.headers)
    assert "default-src 'self'" in refused.headers["Content-Security-Policy"]


@pytest.mark.django_db
def test_too_many_fields_are_counted_in_the_answer() -> None:
    values = {f"field-{number}": "" for number in range(1001)}
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    refused = client.post("/login/", values)
    assert refused.status_code == 413
    assert "more than 1,000 fields were sent" in refused.content.decode()


@pytest.mark.django_db
def test_a_damaged_form_is_refused_with_all_headers() -> None:
    client = Client(enforce_csrf_checks=True)
    client.get("/login/")
    refused = client.post("/login/", b"no part of a form", content_type="multipart/form-data; boundary=")
    assert refused.status_code == 400
    assert "the request is damaged" in refused.content.decode()
    assert_has_headers(refused.headers)


@pytest.mark.parametrize("length", ["", "-1", "abc", "9" * 30, "\u0665"])
def test_a_length_that_is_no_number_breaks_nothing(length: str) -> None:
    request = RequestFactory().post("/login/", {"a": "b"})
    request.META["CONTENT_LENGTH"] = length
    assert RequestBodyMiddleware(lambda _request: HttpResponse())(request).status_code == 200
