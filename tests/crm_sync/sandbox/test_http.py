"""Addresses, methods and conditions of requests, and what comes back when the sandbox itself is at fault."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.crm_sync.sandbox.conftest import Api, describe_error


def test_doubled_and_trailing_slashes_make_no_difference(api: Api) -> None:
    # Some clients keep the address of the organisation with a slash at its end.
    for address in (
        f"{api.sandbox.base_url}//services/data/v60.0/limits",
        f"{api.sandbox.base_url}///services/data/v60.0/limits/",
        f"{api.sandbox.base_url}/services//data/v60.0//limits",
        f"{api.sandbox.base_url}//services/data/",
        f"{api.sandbox.base_url}//services/oauth2//userinfo",
    ):
        assert api.session.get(address, timeout=30).status_code == 200, address


def test_a_value_in_an_address_keeps_its_slashes(api: Api) -> None:
    identifier = api.create("Account", LastName="Silva", External_ID_vod__c="a//b")
    assert api.get("/sobjects/Account/External_ID_vod__c/a%2F%2Fb").json()["Id"] == identifier


def test_head_answers_as_get_without_a_body(api: Api) -> None:
    identifier = api.create("Account", LastName="Silva")
    for path in ("", "/sobjects/Account/describe", f"/sobjects/Account/{identifier}", "/limits"):
        got = api.get(path)
        answer = api.session.head(api.url(path), timeout=30)
        assert (answer.status_code, answer.content) == (200, b"")
        assert answer.headers["Content-Type"] == got.headers["Content-Type"]
    assert api.session.head(api.url("/sobjects/Account/001000000000000AAA"), timeout=30).status_code == 404


def test_options_tells_the_methods_and_answers_a_browsers_question(api: Api) -> None:
    answer = api.session.options(api.url("/sobjects/Account"), timeout=30)
    assert (answer.status_code, answer.headers["Allow"], answer.content) == (200, "GET,HEAD,POST", b"")
    assert describe_error(api.session.options(api.url("/nothing"), timeout=30)) == (404, "NOT_FOUND")
    asked = requests.options(
        api.url("/query"),
        headers={"Origin": "https://app.example.com", "Access-Control-Request-Method": "GET"},
        timeout=30,
    )
    assert asked.status_code == 200
    assert asked.headers["Access-Control-Allow-Origin"] == "https://app.example.com"
    assert "GET" in asked.headers["Access-Control-Allow-Methods"]


def test_what_has_not_changed_since_is_not_sent_again(api: Api) -> None:
    identifier = api.create("Account", LastName="Silva")
    for path in (f"/sobjects/Account/{identifier}", "/sobjects/Account/describe", "/sobjects"):
        last = api.get(path).headers["Last-Modified"]
        kept = api.get(path, headers={"If-Modified-Since": last})
        assert (kept.status_code, kept.content) == (304, b""), path
        older = api.get(path, headers={"If-Modified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"})
        assert older.status_code == 200
        assert api.get(path, headers={"If-Modified-Since": "yesterday"}).status_code == 200
    stale = api.patch(
        f"/sobjects/Account/{identifier}",
        json={"FirstName": "Ana"},
        headers={"If-Unmodified-Since": "Wed, 01 Jan 2020 00:00:00 GMT"},
    )
    assert describe_error(stale) == (412, "PRECONDITION_FAILED")


def test_a_fault_of_the_sandbox_itself_is_told_as_the_crm_would(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_args: Any, **_kwargs: Any) -> None:
        raise RuntimeError("nobody thought of that")

    monkeypatch.setattr("crm_sync.sandbox.service.Routes.dispatch", fail)
    answer = api.get("/limits")
    assert describe_error(answer) == (500, "UNKNOWN_EXCEPTION")
    assert answer.headers["Content-Type"].startswith("application/json")
    assert "nobody" not in answer.text
    assert "nobody thought of that" in caplog.text


def test_the_columns_of_a_query_are_described(api: Api) -> None:
    query = "SELECT Id, LastName l, COUNT(Id) n FROM Account GROUP BY Id, LastName"
    answer = api.get("/query", params={"q": query, "columns": "true"}).json()
    assert (answer["entityName"], answer["groupBy"], answer["idSelected"]) == ("Account", True, True)
    assert [(each["columnName"], each["displayName"], each["aggregate"]) for each in answer["columnMetadata"]] == [
        ("Id", "Id", False),
        ("LastName", "l", False),
        ("COUNT(Id)", "n", True),
    ]
    joined = api.get("/query", params={"q": "SELECT Account_vod__r.Name FROM Call2_vod__c", "columns": "true"}).json()[
        "columnMetadata"
    ]
    assert [(each["columnName"], [inner["columnName"] for inner in each["joinColumns"]]) for each in joined] == [
        ("Account_vod__r", ["Name"])
    ]


def test_a_plan_is_explained(api: Api) -> None:
    for index in range(3):
        api.create("Account", LastName=f"Silva {index}")
    [first, *_] = api.get(
        "/query", params={"explain": "SELECT Id FROM Account WHERE Id = '001000000000000AAA'"}
    ).json()["plans"]
    assert (first["leadingOperationType"], first["sobjectType"], first["fields"]) == ("Index", "Account", ["Id"])
    plans = api.get("/query", params={"explain": "SELECT Id FROM Account WHERE LastName LIKE '%a'"}).json()
    assert [plan["leadingOperationType"] for plan in plans["plans"]] == ["TableScan"]
    assert plans["plans"][0]["sobjectCardinality"] == 3
    assert describe_error(api.get("/query", params={"explain": "SELECT"})) == (400, "MALFORMED_QUERY")


def test_an_unknown_id_is_an_invalid_cross_reference(api: Api) -> None:
    missing = "001000000000000AAA"
    [row] = api.patch(
        "/composite/sobjects",
        json={"records": [{"attributes": {"type": "Account"}, "Id": missing, "LastName": "Silva"}]},
    ).json()
    assert row["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
    [row] = api.delete(f"/composite/sobjects?ids={missing}").json()
    assert row["errors"][0]["statusCode"] == "INVALID_CROSS_REFERENCE_KEY"
