"""Misbehaviour on request."""

import socket
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.errors import LOG_IN_REFUSALS
from tests.crm_sync.sandbox.conftest import Api, describe_error, log_in, measure_to_noon
from tests.crm_sync.sandbox.soap import post_envelope

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
    sandbox.misbehaviour.add_rule(match={"path": "/sobjects$"}, effect={"delay_ms": 3_000})
    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.url("/sobjects"), timeout=0.2)
    assert api.get("/limits").status_code == 200


def test_every_call_takes_the_latency(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.latency_ms = 3_000
    with pytest.raises(requests.ReadTimeout):
        api.session.get(api.url("/limits"), timeout=0.2)
    sandbox.misbehaviour.clear()
    assert api.get("/limits").status_code == 200


def test_the_clock_may_be_wrong(api: Api, sandbox: RunningSandbox) -> None:
    to_noon = measure_to_noon(sandbox)
    sandbox.misbehaviour.clock_skew_seconds = to_noon - 86_400
    api.create("Account", LastName="x")
    assert api.query("SELECT COUNT() FROM Account WHERE CreatedDate = TODAY")["totalSize"] == 1
    sandbox.misbehaviour.clear()
    assert sandbox.misbehaviour.clock_skew_seconds == 0
    sandbox.misbehaviour.clock_skew_seconds = to_noon
    assert api.query("SELECT COUNT() FROM Account WHERE CreatedDate = YESTERDAY")["totalSize"] == 1


def test_the_clock_may_be_set_in_the_middle(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"method": "POST", "nth": 2}, effect={"step_clock_seconds": -7_200})
    first, second = (api.create("Account", LastName=name) for name in "ab")
    stamps = api.list_values("SELECT SystemModstamp FROM Account ORDER BY LastName")
    assert stamps[1] < stamps[0]
    assert api.list_values("SELECT Id FROM Account ORDER BY SystemModstamp") == [second, first]
    assert sandbox.misbehaviour.clock_skew_seconds == -7_200


def test_the_date_header_follows_the_clock_of_the_organisation(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.clock_skew_seconds = 86_400
    before = sandbox.organisation.read_clock().replace(microsecond=0)
    told = parsedate_to_datetime(api.get("/limits").headers["Date"])
    assert before <= told <= sandbox.organisation.read_clock()


# -- pages --------------------------------------------------------------------------------------------


def read_pages(api: Api, *, most: int = 10) -> list[list[str]]:
    """Return the last names in each page of a query of all accounts in their order; at most so many pages."""
    page = api.query("SELECT LastName FROM Account ORDER BY LastName")
    pages = [[record["LastName"] for record in page["records"]]]
    while not page["done"] and len(pages) < most:
        page = api.session.get(api.sandbox.base_url + page["nextRecordsUrl"], timeout=30).json()
        pages.append([record["LastName"] for record in page["records"]])
    return pages


@pytest.fixture
def five_accounts(sandbox: RunningSandbox) -> None:
    """Five accounts a, b, c, d and e, of which a page of a query holds two."""
    sandbox.organisation.insert_records(object_name="Account", records=[{"LastName": name} for name in "abcde"])
    sandbox.misbehaviour.add_rule(match={"path": "/query/"}, effect={"page_size": 2})


@pytest.mark.usefixtures("five_accounts")
@pytest.mark.parametrize(
    ("effect", "pages"),
    [
        ({}, ["ab", "cd", "e"]),
        ({"rows": "twice"}, ["aabb", "ccdd", "ee"]),
        ({"rows": "overlapping"}, ["ab", "bc", "cd", "de"]),
        ({"rows": "reversed"}, ["ba", "dc", "e"]),
        ({"rows": "pages-reversed"}, ["ed", "cb", "a"]),
        ({"next_page": "endless"}, ["ab", "cd", "e", "e", "e", "e", "e", "e", "e", "e"]),
    ],
)
def test_pages_have_rows_twice_or_out_of_order(
    api: Api, sandbox: RunningSandbox, effect: dict[str, Any], pages: list[str]
) -> None:
    sandbox.misbehaviour.add_rule(match={"object": "Account"}, effect={"page_size": 2, **effect})
    assert ["".join(page) for page in read_pages(api)] == pages


@pytest.mark.usefixtures("five_accounts")
def test_rows_are_shuffled_alike_each_time_and_none_is_lost(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"object": "Account"}, effect={"page_size": 2, "rows": "pages-shuffled"})
    first, second = read_pages(api), read_pages(api)
    assert first == second
    names = [name for page in first for name in page]
    assert names != sorted(names)
    assert sorted(names) == list("abcde")
    sandbox.misbehaviour.clear()
    sandbox.misbehaviour.add_rule(effect={"rows": "shuffled"})
    [names] = read_pages(api)
    assert names != sorted(names)
    assert sorted(names) == list("abcde")


@pytest.mark.usefixtures("five_accounts")
def test_a_page_leads_to_the_wrong_place(api: Api, sandbox: RunningSandbox) -> None:
    found = {}
    for fault in ("broken", "foreign", "missing"):
        sandbox.misbehaviour.add_rule(match={"count": 1}, effect={"next_page": fault})
        page = api.query("SELECT Id FROM Account")
        assert (page["done"], len(page["records"])) == (False, 5)
        found[fault] = page.get("nextRecordsUrl")
    refused = api.session.get(sandbox.base_url + str(found["broken"]), timeout=30)
    assert describe_error(refused) == (400, "INVALID_QUERY_LOCATOR")
    assert str(found["foreign"]).startswith("https://other-organisation.invalid/services/data/v60.0/query/01g")
    assert found["missing"] is None


# -- refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", LOG_IN_REFUSALS)
def test_correct_log_ins_are_refused_for_a_reason(sandbox: RunningSandbox, reason: str) -> None:
    sandbox.misbehaviour.change_settings({"refuse_log_in": reason})
    refusal = LOG_IN_REFUSALS[reason]
    app, user = sandbox.connected_app, sandbox.user
    keys = {"client_id": app.client_id, "client_secret": app.client_secret}
    for grant in (
        {"grant_type": "password", "username": user.username, "password": user.password},
        {"grant_type": "client_credentials"},
    ):
        answer = requests.post(f"{sandbox.base_url}/services/oauth2/token", data=keys | grant, timeout=30)
        assert answer.status_code == 400
        assert answer.json() == {"error": refusal.error, "error_description": refusal.description}
    arguments = f"<username>{user.username}</username><password>{user.password}</password>"
    soap = post_envelope(sandbox, f"<login>{arguments}</login>")
    assert soap.status_code == 500
    assert f"<sf:exceptionCode>{refusal.soap_code}</sf:exceptionCode>" in soap.text
    sandbox.misbehaviour.clear()
    assert log_in(sandbox)


def test_wrong_credentials_are_refused_as_such_whatever_else_is_wrong(sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.refuse_log_in = "ip restricted"
    app = sandbox.connected_app
    form = {"grant_type": "password", "client_id": app.client_id, "client_secret": app.client_secret, "password": "x"}
    answer = requests.post(f"{sandbox.base_url}/services/oauth2/token", data=form, timeout=30)
    assert answer.json()["error_description"] == "authentication failure"


def test_retired_versions_are_gone(api: Api, sandbox: RunningSandbox) -> None:
    api.version = "v30.0"
    assert describe_error(api.get("/limits")) == (410, "UNSUPPORTED_API_VERSION")
    sandbox.misbehaviour.oldest_api_version = 61
    api.version = "v60.0"
    assert describe_error(api.get("/limits")) == (410, "UNSUPPORTED_API_VERSION")
    api.version = "v61.0"
    assert api.get("/limits").status_code == 200
    versions = requests.get(f"{sandbox.base_url}/services/data", timeout=30).json()
    assert versions[0]["version"] == "61.0"
    soap = post_envelope(sandbox, "<login/>")
    assert "UNSUPPORTED_API_VERSION" in soap.text
    inner = {"batchRequests": [{"method": "GET", "url": "v60.0/limits"}]}
    assert api.post("/composite/batch", json=inner).json()["results"][0]["statusCode"] == 410


@pytest.mark.parametrize(
    ("effect", "message"),
    [
        ({"limit_exhausted": True}, "TotalRequests Limit exceeded."),
        (
            {"concurrency_limit": "requests"},
            "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
        ),
        ({"concurrency_limit": "long-transactions"}, "ConcurrentPerOrgLongTxn Limit exceeded."),
    ],
)
def test_limits_differ_in_their_words(api: Api, sandbox: RunningSandbox, effect: dict[str, Any], message: str) -> None:
    sandbox.misbehaviour.add_rule(match={"count": 1}, effect=effect)
    refused = api.get("/limits")
    assert describe_error(refused) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert refused.json()[0]["message"] == message
    assert api.get("/limits").status_code == 200


def test_only_so_many_calls_are_answered_at_once(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.concurrent_requests = 1
    with socket.create_connection(("127.0.0.1", sandbox.first.port), timeout=30) as unfinished:
        unfinished.sendall(b"POST /services/oauth2/token HTTP/1.1\r\nHost: crm\r\nContent-Length: 9\r\n\r\n")
        while (refused := api.get("/limits")).status_code == 200:
            continue  # until the unfinished request has arrived
        assert refused.json()[0]["message"].startswith("ConcurrentRequests")
        sandbox.misbehaviour.concurrent_requests = 2
        assert api.get("/limits").status_code == 200


def test_a_duplicate_rule_warns_unless_the_client_saves_nevertheless(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.duplicate_rule = "Account"
    first = api.create("Account", FirstName="A", LastName="B", External_ID_vod__c="1")
    records = [
        {"attributes": {"type": "Account"}, "FirstName": "A", "LastName": name, "External_ID_vod__c": key}
        for name, key in (("B", "1"), ("B", "2"), ("C", "3"))
    ]
    results = api.patch(UPSERT, json={"records": records}).json()
    assert [result["success"] for result in results] == [True, False, True]
    assert results[1]["errors"] == [
        {"statusCode": "DUPLICATES_DETECTED", "message": "Use one of these records?", "fields": []}
    ]
    refused = api.post("/sobjects/Account", json={"FirstName": "A", "LastName": "B"})
    assert describe_error(refused) == (400, "DUPLICATES_DETECTED")
    saved = api.patch(UPSERT, json={"records": records}, headers={"Sforce-Duplicate-Rule-Header": "allowSave=true"})
    assert [result["success"] for result in saved.json()] == [True, True, True]
    assert api.delete(f"/sobjects/Account/{first}").status_code == 204


@pytest.mark.parametrize(
    ("match", "effect"),
    [
        ({"where": 1}, {"status": 500}),
        ({}, {"explode": True}),
        ({"path": "("}, {"status": 500}),
        ({}, {"rows": "upside down"}),
        ({}, {"next_page": "x"}),
        ({}, {"drop": "sideways"}),
        ({}, {"page_size": "many"}),
        ({}, {"page_size": 0}),
        ({}, {"delay_ms": True}),
        ({}, {"row_errors": ["b"]}),
        ({}, {"row_errors": {"b": {"message": "no code"}}}),
        ({"nth": "first"}, {"status": 500}),
        ({}, {"step_clock_seconds": 1e15}),
    ],
)
def test_unknown_rules_are_refused(sandbox: RunningSandbox, match: dict[str, Any], effect: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"Unknown|regular expression|must be|must give"):
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
        ({"settings": {"clock_skew_seconds": 1e15}}, "clock_skew_seconds must be"),
        ({"settings": {"refuse_log_in": "mood"}}, "refuse_log_in must be one of authentication failure, ip restricted"),
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
