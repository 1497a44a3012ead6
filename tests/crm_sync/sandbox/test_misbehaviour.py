"""Misbehaviour on request."""

from typing import Any

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import Api, describe_error

UPSERT = "/composite/sobjects/Account/External_ID_vod__c"


def make_body(*keys: str) -> dict[str, Any]:
    """Return an upsert of accounts."""
    return {
        "records": [{"attributes": {"type": "Account"}, "External_ID_vod__c": key, "LastName": "x"} for key in keys]
    }


def test_a_status_is_answered_on_the_nth_call_only(api: Api, sandbox: RunningSandbox) -> None:
    rule = sandbox.misbehaviour.add_rule(
        match={"method": "PATCH", "path": "/composite/sobjects/", "nth": 2},
        effect={"status": 503, "error_code": "SERVER_UNAVAILABLE", "retry_after": 7},
    )
    responses = [api.patch(UPSERT, json=make_body(key)) for key in "abc"]
    assert [response.status_code for response in responses] == [200, 503, 200]
    assert responses[1].json() == [{"message": "An unexpected error occurred.", "errorCode": "SERVER_UNAVAILABLE"}]
    assert responses[1].headers["Retry-After"] == "7"
    assert api.list_values("SELECT External_ID_vod__c FROM Account ORDER BY Id") == ["a", "c"]
    assert (rule.seen, rule.fired) == (3, 1)


def test_chosen_rows_fail(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(
        match={"object": "account"},
        effect={
            "row_errors": {
                "b": "UNABLE_TO_LOCK_ROW",
                "c": {"code": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "No."},
            }
        },
    )
    results = api.patch(UPSERT, json=make_body("a", "b", "c")).json()
    assert [result["success"] for result in results] == [True, False, False]
    assert [result["errors"][0]["statusCode"] for result in results[1:]] == [
        "UNABLE_TO_LOCK_ROW",
        "FIELD_CUSTOM_VALIDATION_EXCEPTION",
    ]
    refused = api.post("/sobjects/Account", json={"LastName": "x", "External_ID_vod__c": "b"})
    assert describe_error(refused) == (400, "UNABLE_TO_LOCK_ROW")


@pytest.mark.parametrize(("drop", "kept"), [("before", 0), ("after", 1)])
def test_a_dropped_connection_loses_the_call_or_only_its_answer(
    api: Api, sandbox: RunningSandbox, drop: str, kept: int
) -> None:
    sandbox.misbehaviour.add_rule(match={"method": "PATCH", "count": 1}, effect={"drop": drop})
    with pytest.raises(requests.ConnectionError):
        api.patch(UPSERT, json=make_body("a"))
    assert sandbox.request_log.count(method="PATCH", status=0) == 1
    assert sandbox.organisation.count_records(object_name="Account") == kept
    assert api.patch(UPSERT, json=make_body("a")).json()[0]["created"] is (kept == 0)


def test_broken_answers(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"html": True})
    html = api.get("/limits")
    assert (html.status_code, html.headers["Content-Type"]) == (200, "text/html;charset=UTF-8")
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"truncate": True})
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get("/sobjects")


def test_sessions_expire_and_limits_run_out_at_a_chosen_call(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"path": "/limits$", "nth": 2}, effect={"limit_exhausted": True})
    sandbox.misbehaviour.add_rule(match={"path": "/sobjects$"}, effect={"expire_sessions": True})
    assert api.get("/limits").status_code == 200
    assert describe_error(api.get("/limits")) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert describe_error(api.get("/sobjects")) == (401, "INVALID_SESSION_ID")
    assert describe_error(api.get("/limits")) == (401, "INVALID_SESSION_ID")


def test_dice_fall_the_same_way_for_the_same_seed(api: Api, sandbox: RunningSandbox) -> None:
    patterns = []
    for seed in (1, 1, 2):
        sandbox.misbehaviour.clear()
        sandbox.misbehaviour.add_rule(match={"probability": 0.5, "seed": seed}, effect={"status": 500})
        patterns.append([api.get("/limits").status_code for _ in range(16)])
    assert patterns[0] == patterns[1]
    assert patterns[0] != patterns[2]
    assert set(patterns[0]) == {200, 500}


def test_slow_calls_do_not_hold_up_others(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"path": "/sobjects$"}, effect={"delay_ms": 800})
    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.url("/sobjects"), timeout=0.2)
    assert api.get("/limits").status_code == 200


def test_every_call_takes_the_latency(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.latency_ms = 500
    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.url("/limits"), timeout=0.2)
    sandbox.misbehaviour.clear()
    assert api.get("/limits").status_code == 200


def test_the_clock_may_be_wrong(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.clock_skew_seconds = -86_400
    api.create("Account", LastName="x")
    assert api.query("SELECT COUNT() FROM Account WHERE CreatedDate = TODAY")["totalSize"] == 1
    sandbox.misbehaviour.clear()
    assert api.query("SELECT COUNT() FROM Account WHERE CreatedDate = YESTERDAY")["totalSize"] == 1


@pytest.mark.parametrize(
    ("match", "effect"),
    [({"where": 1}, {"status": 500}), ({}, {"explode": True}), ({"path": "("}, {"status": 500})],
)
def test_unknown_rules_are_refused(sandbox: RunningSandbox, match: dict[str, Any], effect: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Unknown|regular expression"):
        sandbox.misbehaviour.add_rule(match=match, effect=effect)
    assert sandbox.misbehaviour.rules == []


# -- over HTTP ----------------------------------------------------------------------------------------


def test_rules_and_settings_over_http(api: Api, sandbox: RunningSandbox) -> None:
    address = f"{sandbox.base_url}/_sandbox/misbehave"
    created = requests.post(
        address,
        json={
            "settings": {"latency_ms": 1, "api_limit": 99},
            "match": {"method": "GET", "count": 1},
            "effect": {"status": 500},
        },
        timeout=30,
    )
    assert created.status_code == 201
    assert created.json()["rules"] == [
        {"id": 1, "match": {"method": "GET", "count": 1}, "effect": {"status": 500}, "seen": 0, "fired": 0}
    ]
    assert api.get("/limits").status_code == 500
    assert requests.get(address, timeout=30).json()["rules"][0]["fired"] == 1
    assert requests.delete(f"{address}/1", timeout=30).json()["rules"] == []
    assert requests.delete(f"{address}/1", timeout=30).status_code == 404
    assert requests.delete(address, timeout=30).json()["settings"]["latency_ms"] == 0
    assert api.get("/limits").json()["DailyApiRequests"]["Max"] == 99
    assert requests.delete(f"{sandbox.base_url}/_sandbox/sessions", timeout=30).json() == {"expired": 1}
    assert requests.delete(f"{sandbox.base_url}/_sandbox/usage", timeout=30).json() == {"used": 0}
    assert describe_error(api.get("/limits")) == (401, "INVALID_SESSION_ID")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"effects": {}}, "Unknown: effects"),
        ({"settings": {"latency_ms": True}}, "latency_ms must be a number"),
        ({"settings": {"block_password_flow": 1}}, "must be true or false"),
        ({"settings": {"colour": 1}}, "Unknown setting: colour"),
        ({"rules": [{"match": {}}]}, "A rule is"),
        ([], "must be a JSON object"),
    ],
)
def test_the_control_interface_says_what_is_wrong(sandbox: RunningSandbox, body: Any, words: str) -> None:
    response = requests.post(f"{sandbox.base_url}/_sandbox/misbehave", json=body, timeout=30)
    assert response.status_code == 400
    assert words in response.json()["error"]


def test_other_sites_cannot_control_the_sandbox(api: Api, sandbox: RunningSandbox) -> None:
    foreign = {"Origin": "https://evil.example"}
    for method, path in (
        ("POST", "misbehave"),
        ("DELETE", "misbehave"),
        ("DELETE", "sessions"),
        ("DELETE", "log"),
        ("DELETE", "usage"),
        ("DELETE", "misbehave/1"),
    ):
        address = f"{sandbox.base_url}/_sandbox/{path}"
        assert requests.request(method, address, json={}, headers=foreign, timeout=30).status_code == 403
    text = requests.post(f"{sandbox.base_url}/_sandbox/misbehave", data="{}", timeout=30)
    assert text.status_code == 415
    assert api.get("/limits").status_code == 200


def test_the_log_counts_calls_and_keeps_no_secret(api: Api, sandbox: RunningSandbox) -> None:
    api.query("SELECT Id FROM Account WHERE Name = 'canary'")
    api.create("Account", LastName="canary")
    entries = requests.get(f"{sandbox.base_url}/_sandbox/log", timeout=30).json()
    assert [(entry["method"], entry["path"], entry["status"]) for entry in entries] == [
        ("POST", "/services/oauth2/token", 200),
        ("GET", "/services/data/v60.0/query", 200),
        ("POST", "/services/data/v60.0/sobjects/Account", 201),
    ]
    assert "canary" not in str(list(sandbox.request_log))
    assert sandbox.request_log.count_by_path()["GET", "/services/data/v60.0/query"] == 1
    assert requests.delete(f"{sandbox.base_url}/_sandbox/log", timeout=30).json() == []
    health = requests.get(f"{sandbox.base_url}/_sandbox/health", timeout=30).json()
    assert health == {"status": "ok", "organisation": "na"}
