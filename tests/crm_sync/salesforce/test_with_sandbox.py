"""The client against the CRM sandbox: the same calls as to a real CRM, with faults on request."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectivityError,
    LimitError,
    QueryLocatorExpired,
)
from crm_sync.salesforce.client import ClientOptions, Credentials, CrmClient
from crm_sync.salesforce.soql import build_select, chunk_values_by_url, compare, is_in
from crm_sync.sandbox.serving.certificates import write_certificates
from crm_sync.sandbox.serving.running import RunningOrganisation, RunningSandbox

STUDY = "Clinical_Study_vod__c"
ACCOUNT_ID = "External_ID_vod__c"
EXTERNAL_ID = "Vault_External_ID_vod__c"


@pytest.fixture
def crm() -> Iterator[RunningOrganisation]:
    with RunningSandbox() as sandbox:
        yield sandbox.first


def build_credentials(crm: RunningOrganisation, *, flow: Any = "password", password: str | None = None) -> Credentials:
    app = crm.connected_app
    return Credentials(
        flow=flow,
        username=crm.user.username,
        password=crm.user.password if password is None else password,
        consumer_key=app.client_id,
        consumer_secret=app.client_secret,
    )


def make_client(crm: RunningOrganisation, *, credentials: Credentials | None = None, **options: Any) -> CrmClient:
    chosen: dict[str, Any] = {
        "backoff_base_seconds": 0.001,
        "sandbox_origins": {"https://na.crm.test": crm.base_url},
    } | options
    return CrmClient(
        base_url="https://na.crm.test",
        credentials=credentials or build_credentials(crm),
        options=ClientOptions(**chosen),
    )


@pytest.fixture
def client(crm: RunningOrganisation) -> Iterator[CrmClient]:
    with make_client(crm) as one:
        yield one


def build_studies(count: int, *, first: int = 0, **fields: Any) -> list[dict[str, Any]]:
    return [{EXTERNAL_ID: f"V{number:06}", "Name": f"S-{number}", **fields} for number in range(first, first + count)]


def send_studies(client: CrmClient, records: list[dict[str, Any]]) -> list[tuple[bool, bool]]:
    results = client.upsert(object_name=STUDY, external_id_field=EXTERNAL_ID, records=records)
    return [(result.success, result.created) for result in results]


def count_requests(crm: RunningOrganisation, client: CrmClient, **what: Any) -> int:
    """Count requests once the sandbox has logged all of the client's, because it logs them after answering."""
    deadline = time.monotonic() + 60
    while len(crm.request_log) < client.api_calls and time.monotonic() < deadline:
        time.sleep(0.001)
    return crm.request_log.count(**what)


def list_names(crm: RunningOrganisation) -> list[str]:
    return sorted(record["Name"] for record in crm.organisation.list_records(object_name=STUDY))


@pytest.mark.parametrize("flow", ["password", "client_credentials"])
def test_both_flows_log_in(crm: RunningOrganisation, flow: str) -> None:
    with make_client(crm, credentials=build_credentials(crm, flow=flow)) as client:
        client.log_in()
        assert client.get_limits()["DailyApiRequests"]["Max"] == 15_000


def test_a_wrong_password_is_one_clear_refusal(crm: RunningOrganisation) -> None:
    with (
        make_client(crm, credentials=build_credentials(crm, password="wrong")) as client,
        pytest.raises(AuthenticationError) as caught,
    ):
        client.get_limits()
    assert str(caught.value) == (
        "na.crm.test refused the log-in: authentication failure. Check the user name and password. Unless the CRM "
        "trusts the Vault's network address, the user's security token belongs directly behind the password, in the "
        "same field of Set Password. If all of that is right, the CRM may no longer allow the password flow: choose "
        "client credentials in Enter Connected App Details."
    )


def test_client_credentials_work_where_the_password_flow_is_blocked(crm: RunningOrganisation) -> None:
    crm.misbehaviour.block_password_flow = True
    with make_client(crm) as client, pytest.raises(AuthenticationError, match="choose client credentials"):
        client.log_in()
    with make_client(crm, credentials=build_credentials(crm, flow="client_credentials")) as client:
        client.log_in()


def test_records_are_created_updated_and_left_in_request_order(crm: RunningOrganisation, client: CrmClient) -> None:
    assert send_studies(client, build_studies(3)) == [(True, True)] * 3
    assert send_studies(client, build_studies(3, first=2)) == [(True, False), (True, True), (True, True)]
    assert list_names(crm) == ["S-0", "S-1", "S-2", "S-3", "S-4"]


def test_one_bad_record_in_two_hundred_is_refused_alone(crm: RunningOrganisation, client: CrmClient) -> None:
    records = build_studies(200)
    records[117]["Name"] = "x" * 81
    results = client.upsert(object_name=STUDY, external_id_field=EXTERNAL_ID, records=records)
    refused = {position: result for position, result in enumerate(results) if not result.success}
    assert list(refused) == [117]
    assert [(reason.code, reason.fields) for reason in refused[117].errors] == [("STRING_TOO_LONG", ("Name",))]
    assert len(list_names(crm)) == 199
    assert count_requests(crm, client, method="PATCH") == 1


def test_records_are_updated_by_id(crm: RunningOrganisation, client: CrmClient) -> None:
    results = client.upsert(object_name=STUDY, external_id_field=EXTERNAL_ID, records=build_studies(2))
    changes = [{"Id": result.crm_id, "Study_Name_vod__c": f"Study {n}"} for n, result in enumerate(results)]
    assert [result.success for result in client.update(object_name=STUDY, records=changes)] == [True, True]
    soql = build_select(STUDY, ["Study_Name_vod__c"], order_by=EXTERNAL_ID)
    assert list(client.query(soql)) == [[{"Study_Name_vod__c": "Study 0"}, {"Study_Name_vod__c": "Study 1"}]]


def test_a_query_reads_page_after_page(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.organisation.insert_records(object_name=STUDY, records=build_studies(450))
    soql = build_select(STUDY, ["Name"], order_by=EXTERNAL_ID)
    pages = list(client.query(soql, page_size=200))
    assert [len(page) for page in pages] == [200, 200, 50]
    assert [row["Name"] for page in pages for row in page] == [f"S-{number}" for number in range(450)]


def test_pages_shorter_than_asked_are_no_end(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.organisation.insert_records(object_name=STUDY, records=build_studies(25))
    crm.misbehaviour.add_rule(effect={"page_size": 10})
    pages = list(client.query(build_select(STUDY, ["Name"])))
    assert [len(page) for page in pages] == [10, 10, 5]


def test_a_forgotten_query_is_told_apart(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.organisation.insert_records(object_name=STUDY, records=build_studies(25))
    crm.misbehaviour.add_rule(effect={"page_size": 10})
    pages = client.query(build_select(STUDY, ["Name"]))
    assert len(next(pages)) == 10
    crm.misbehaviour.add_rule(effect={"status": 400, "error_code": "INVALID_QUERY_LOCATOR"})
    crm.misbehaviour.remove_rule(crm.misbehaviour.rules[0].id)
    with pytest.raises(QueryLocatorExpired):
        next(pages)


def test_awkward_identifiers_are_found_exactly(crm: RunningOrganisation, client: CrmClient) -> None:
    awkward = [
        "O'Brien",
        "back\\slash",
        "a\nb\tc",
        'say "x"',
        "Zoë 李 😀",
        "100%_",
        "' OR Name != '",
        "\\'",
        "a+b&c=d#e?f",
    ]
    accounts = [{"LastName": "Doe", ACCOUNT_ID: value} for value in awkward]
    crm.organisation.insert_records(object_name="Account", records=accounts)
    crm.organisation.insert_records(object_name="Account", records=[{"LastName": "X", ACCOUNT_ID: "other"}])
    soql = build_select("Account", [ACCOUNT_ID], where=is_in(ACCOUNT_ID, awkward))
    found = [row[ACCOUNT_ID] for page in client.query(soql) for row in page]
    assert sorted(found) == sorted(awkward)
    for value in awkward:
        soql = build_select("Account", [ACCOUNT_ID], where=compare(ACCOUNT_ID, "=", value))
        assert list(client.query(soql)) == [[{ACCOUNT_ID: value}]]


def test_long_lists_of_identifiers_never_pass_the_length_of_a_url(crm: RunningOrganisation, client: CrmClient) -> None:
    values = [f"李{number:03}" + "é" * 100 for number in range(100)]
    accounts = [{"LastName": "Doe", ACCOUNT_ID: value} for value in values]
    crm.organisation.insert_records(object_name="Account", records=accounts)
    found = [
        row[ACCOUNT_ID]
        for chunk in chunk_values_by_url(values)
        for page in client.query(build_select("Account", [ACCOUNT_ID], where=is_in(ACCOUNT_ID, chunk)))
        for row in page
    ]
    assert sorted(found) == sorted(values)


def test_deleted_records_are_seen_on_request_only(crm: RunningOrganisation, client: CrmClient) -> None:
    (result,) = client.upsert(object_name=STUDY, external_id_field=EXTERNAL_ID, records=build_studies(1))
    assert client.clock is not None
    before = client.clock.crm
    log_in = requests.post(
        f"{crm.base_url}/services/oauth2/token", data=build_credentials(crm).build_form(), timeout=60
    ).json()
    record = f"{crm.base_url}/services/data/v60.0/sobjects/{STUDY}/{result.crm_id}"
    headers = {"Authorization": f"Bearer {log_in['access_token']}"}
    assert requests.delete(record, headers=headers, timeout=60).status_code == 204
    soql = build_select(STUDY, ["Id", "IsDeleted"], where=compare("Id", "=", result.crm_id))
    assert list(client.query(soql)) == [[]]
    assert list(client.query(soql, include_deleted=True)) == [[{"Id": result.crm_id, "IsDeleted": True}]]
    hour = timedelta(hours=1)
    deleted = client.list_deleted(object_name=STUDY, start=before - hour, end=before + hour)
    assert deleted.crm_ids == [result.crm_id]
    assert deleted.known_since is not None
    assert deleted.known_until is not None
    assert deleted.known_since < before - hour < deleted.known_until


def test_an_object_is_described_with_its_fields(client: CrmClient) -> None:
    described = {entry["name"]: entry["length"] for entry in client.describe(STUDY)["fields"]}
    assert described["Name"] == 80


def test_usage_follows_the_crms_own_count(crm: RunningOrganisation, client: CrmClient) -> None:
    client.get_limits()
    first = client.api_usage
    client.get_limits()
    assert first is not None
    assert client.api_usage == (first[0] + 1, 15_000)
    assert count_requests(crm, client) == client.api_calls


@pytest.mark.parametrize(
    ("drop", "created"),
    [("before", True), ("after", False)],
    ids=["lost on the way there", "lost on the way back, after the commit"],
)
def test_a_lost_reply_doubles_nothing(crm: RunningOrganisation, client: CrmClient, drop: str, created: bool) -> None:
    crm.misbehaviour.add_rule(match={"method": "PATCH", "count": 1}, effect={"drop": drop})
    assert send_studies(client, build_studies(5)) == [(True, created)] * 5
    assert list_names(crm) == [f"S-{number}" for number in range(5)]
    assert count_requests(crm, client, method="PATCH") == 2


@pytest.mark.parametrize("k", range(1, 6))
def test_a_session_that_ends_at_any_call_costs_one_log_in(crm: RunningOrganisation, client: CrmClient, k: int) -> None:
    crm.misbehaviour.add_rule(match={"method": "PATCH", "nth": k}, effect={"expire_sessions": True})
    for batch in range(5):
        assert send_studies(client, build_studies(2, first=2 * batch)) == [(True, True)] * 2
    assert len(list_names(crm)) == 10
    assert count_requests(crm, client, path_contains="/oauth2/token") == 2
    assert count_requests(crm, client, method="PATCH", status=401) == 1


def test_a_session_that_always_ends_stops_the_run(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"expire_sessions": True})
    with pytest.raises(AuthenticationError, match="took the session away right after a new log-in"):
        send_studies(client, build_studies(1))
    assert count_requests(crm, client, path_contains="/oauth2/token") == 2


@pytest.mark.parametrize(
    "effect",
    [
        {"status": 429, "error_code": "TOO_MANY_REQUESTS", "retry_after": 0},
        {"status": 500, "error_code": "UNKNOWN_EXCEPTION"},
        {"status": 503, "error_code": "SERVER_UNAVAILABLE"},
        {"html": True},
        {"truncate": True},
    ],
    ids=str,
)
@pytest.mark.parametrize("method", ["PATCH", "GET"])
def test_a_burst_of_faults_passes_unnoticed(
    crm: RunningOrganisation, client: CrmClient, effect: dict[str, Any], method: str
) -> None:
    crm.misbehaviour.add_rule(match={"method": method, "count": 4}, effect=effect)
    send_studies(client, build_studies(3))
    assert list(client.query(build_select(STUDY, ["Name"], order_by="Name"))) == [
        [{"Name": "S-0"}, {"Name": "S-1"}, {"Name": "S-2"}]
    ]
    assert count_requests(crm, client, method=method) == 5


def test_faults_that_last_end_the_run_with_one_message(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.misbehaviour.add_rule(match={"method": "PATCH"}, effect={"status": 503, "error_code": "SERVER_UNAVAILABLE"})
    with pytest.raises(ConnectivityError) as caught:
        send_studies(client, build_studies(1))
    assert caught.value.message == "na.crm.test answered with status 503 (SERVER_UNAVAILABLE); tried 6 times."


def test_a_locked_row_is_sent_again_alone(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.misbehaviour.add_rule(
        match={"method": "PATCH", "count": 2}, effect={"row_errors": {"V000003": "UNABLE_TO_LOCK_ROW"}}
    )
    assert send_studies(client, build_studies(5)) == [(True, True)] * 5
    assert count_requests(crm, client, method="PATCH") == 3


def test_a_used_up_limit_stops_cleanly(crm: RunningOrganisation, client: CrmClient) -> None:
    client.log_in()
    crm.misbehaviour.add_rule(effect={"limit_exhausted": True})
    with pytest.raises(LimitError) as caught:
        send_studies(client, build_studies(1))
    assert caught.value.code == "REQUEST_LIMIT_EXCEEDED"
    assert count_requests(crm, client, method="PATCH") == 1


def test_names_the_crm_does_not_know_are_configuration(crm: RunningOrganisation, client: CrmClient) -> None:
    client.log_in()
    with pytest.raises(ConfigurationError) as unknown_field:
        list(client.query(build_select(STUDY, ["Nonsense__c"])))
    with pytest.raises(ConfigurationError) as unknown_object:
        list(client.query(build_select("Nonsense__c", ["Id"])))
    with pytest.raises(ConfigurationError):
        client.describe("Nonsense__c")
    assert (unknown_field.value.code, unknown_object.value.code) == ("INVALID_FIELD", "INVALID_TYPE")
    assert "Nonsense__c" in unknown_field.value.message
    assert "SELECT" not in unknown_field.value.message


def test_several_threads_send_through_one_client(crm: RunningOrganisation, client: CrmClient) -> None:
    crm.misbehaviour.add_rule(match={"method": "PATCH", "nth": 5}, effect={"expire_sessions": True})
    crm.misbehaviour.add_rule(match={"method": "PATCH", "nth": 9}, effect={"drop": "after"})
    batches = [build_studies(20, first=20 * number) for number in range(12)]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda batch: send_studies(client, batch), batches))
    assert all(success for batch in results for success, _ in batch)
    assert list_names(crm) == sorted(f"S-{number}" for number in range(240))
    assert count_requests(crm, client, path_contains="/oauth2/token") == 2
    assert count_requests(crm, client) == client.api_calls


def test_the_sandbox_is_reached_over_https_too(tmp_path: Path) -> None:
    files = write_certificates(directory=tmp_path)
    with RunningSandbox(certificate=files.certificate, private_key=files.private_key) as sandbox:
        crm = sandbox.first
        with make_client(crm, ca_bundle=str(files.authority)) as client:
            assert client.get_limits()["DailyApiRequests"]["Max"] == 15_000
