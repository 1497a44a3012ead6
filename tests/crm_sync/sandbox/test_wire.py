"""HTTP: compression, chunks, limits, methods, media types."""

import gzip
import json
from collections.abc import Iterator

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error, log_in


def test_versions_are_told_without_a_token(sandbox: RunningSandbox) -> None:
    for path in ("/services/data", "/services/data/"):
        versions = requests.get(sandbox.base_url + path, timeout=30).json()
        assert {"label": "Spring '24", "url": "/services/data/v60.0", "version": "60.0"} in versions


def test_the_root_of_a_version_lists_what_there_is(api: Api) -> None:
    root = api.get("/").json()
    assert (root["query"], root["sobjects"]) == ("/services/data/v60.0/query", "/services/data/v60.0/sobjects")
    assert root["identity"].endswith(api.sandbox.user.id)


@pytest.mark.parametrize("version", ["v99.0", "v60", "60.0"])
def test_unknown_versions_are_not_found(api: Api, version: str) -> None:
    api.version = version
    assert describe_error(api.get("/limits")) == (404, "NOT_FOUND")


def test_answers_are_compressed_for_those_who_take_it(api: Api) -> None:
    compressed = api.get("/sobjects")
    plain = api.get("/sobjects", headers={"Accept-Encoding": "identity"})
    assert (compressed.headers["Content-Encoding"], plain.headers.get("Content-Encoding")) == ("gzip", None)
    assert compressed.json() == plain.json()


def test_bodies_may_be_compressed_or_chunked(api: Api) -> None:
    def send_in_chunks() -> Iterator[bytes]:
        yield b'{"LastName": '
        yield b'"Chunked"}'

    body = gzip.compress(json.dumps({"LastName": "Compressed"}).encode())
    headers = {"Content-Type": "application/json"}
    assert api.post("/sobjects/Account", data=send_in_chunks(), headers=headers).status_code == 201
    assert api.post("/sobjects/Account", data=body, headers={**headers, "Content-Encoding": "gzip"}).status_code == 201
    assert api.list_values("SELECT LastName FROM Account ORDER BY Id") == ["Chunked", "Compressed"]
    broken = api.post("/sobjects/Account", data=b"plain", headers={**headers, "Content-Encoding": "gzip"})
    assert describe_error(broken) == (400, "JSON_PARSER_ERROR")


def test_calls_are_counted_and_told_with_every_answer(api: Api, sandbox: RunningSandbox) -> None:
    assert [api.get("/limits").headers["Sforce-Limit-Info"] for _ in range(2)] == [
        "api-usage=1/15000",
        "api-usage=2/15000",
    ]
    assert (
        requests.get(f"{sandbox.base_url}/services/data/", timeout=30).headers["Sforce-Limit-Info"]
        == "api-usage=2/15000"
    )
    assert api.get("/nothing").headers["Sforce-Limit-Info"] == "api-usage=3/15000"
    assert api.get("/limits").json()["DailyApiRequests"] == {"Max": 15_000, "Remaining": 14_996}


def test_beyond_the_limit_every_call_is_refused_until_the_window_moves(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.api_limit = 1
    assert api.get("/limits").status_code == 200
    refused = api.get("/limits")
    assert describe_error(refused) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert refused.json()[0]["message"] == "TotalRequests Limit exceeded."
    assert log_in(sandbox)
    sandbox.organisation.usage.reset()
    assert api.get("/limits").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("PUT", "/sobjects/Account", "GET,HEAD,POST"), ("POST", "/query", "GET,HEAD"), ("GET", "/composite", "POST")],
)
def test_wrong_methods_are_told_the_right_ones(api: Api, method: str, path: str, allowed: str) -> None:
    response = api.session.request(method, api.url(path), json={}, timeout=30)
    assert describe_error(response) == (405, "METHOD_NOT_ALLOWED")
    assert response.headers["Allow"] == allowed


def test_a_post_may_stand_for_another_method(api: Api) -> None:
    account = api.create("Account", LastName="x")
    assert api.post(f"/sobjects/Account/{account}?_HttpMethod=PATCH", json={"LastName": "y"}).status_code == 204
    assert api.list_values("SELECT LastName FROM Account") == ["y"]


def test_bodies_must_be_json(api: Api) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded"):
        refused = api.post("/sobjects/Account", data="{}", headers={"Content-Type": kind})
        assert describe_error(refused) == (415, "UNSUPPORTED_MEDIA_TYPE")
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    for body in ('{"LastName": ', "[" * 100_000, b"\xff"):
        assert describe_error(api.post("/sobjects/Account", data=body, headers=headers)) == (400, "JSON_PARSER_ERROR")
    assert describe_error(api.post("/sobjects/Account")) == (400, "JSON_PARSER_ERROR")


def test_addresses_have_a_greatest_length(api: Api) -> None:
    query = "SELECT Id FROM Account WHERE Name = '{}'"
    fits = (
        16_384
        - len("/services/data/v60.0/query?q=")
        - len(query.format("").replace(" ", "+").replace("'", "%27").replace("=", "%3D"))
    )
    assert api.get("/query", params={"q": query.format("x" * fits)}).status_code == 200
    assert describe_error(api.get("/query", params={"q": query.format("x" * (fits + 1))})) == (414, "URI_TOO_LONG")


def test_a_missing_query_is_said(api: Api) -> None:
    assert describe_error(api.get("/query")) == (400, "MALFORMED_QUERY")


def test_https_is_served_with_a_certificate_of_its_own_authority(
    tls_sandbox: RunningSandbox, certificates: object
) -> None:
    authority = str(getattr(certificates, "authority"))  # noqa: B009  the fixture's type says nothing here
    answer = requests.get(f"{tls_sandbox.base_url}/services/data", verify=authority, timeout=30)
    assert answer.status_code == 200
    assert tls_sandbox.base_url.startswith("https://127.0.0.1:")
