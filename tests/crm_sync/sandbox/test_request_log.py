"""The log tells of each record what calls did to it, also those whose answer was never sent."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from crm_sync.sandbox.request_log import MAX_WRITTEN, LogEntry, RequestLog, WrittenRecord
from ctms.core.clock import get_now
from tests.crm_sync.sandbox.conftest import Api, control

STUDY = "/composite/sobjects/Clinical_Study_vod__c/Vault_External_ID_vod__c"


def upsert(api: Api, *records: dict[str, Any]) -> None:
    rows = [{"attributes": {"type": "Clinical_Study_vod__c"}, **record} for record in records]
    api.patch(STUDY, json={"allOrNone": False, "records": rows})


def list_written(sandbox: RunningSandbox, record: str = "") -> list[tuple[Any, ...]]:
    rows = control(sandbox, "GET", f"written?record={record}").json()
    return [(row["external_id"], row["outcome"], row["error_code"], row["status"], row["values"]) for row in rows]


def test_each_record_has_its_outcome_with_the_values_that_were_sent(api: Api, sandbox: RunningSandbox) -> None:
    first = {"Vault_External_ID_vod__c": "S1", "Name": "One"}
    wrong = {"Vault_External_ID_vod__c": "S2", "Name": "x" * 100}
    upsert(api, first, wrong)
    again = first | {"Name": "Two"}
    upsert(api, again)
    assert list_written(sandbox) == [
        ("S1", "created", "", 200, first),
        ("S2", "refused", "STRING_TOO_LONG", 200, wrong),
        ("S1", "updated", "", 200, again),
    ]
    [row] = sandbox.organisation.list_records(object_name="Clinical_Study_vod__c")
    assert [entry[1] for entry in list_written(sandbox, row["Id"])] == ["created", "updated"]


def test_a_committed_write_whose_answer_was_withheld_is_told(api: Api, sandbox: RunningSandbox) -> None:
    sandbox.misbehaviour.add_rule(match={"method": "PATCH", "count": 1}, effect={"drop": "after"})
    with pytest.raises(requests.ConnectionError):
        upsert(api, {"Vault_External_ID_vod__c": "S1", "Name": "One"})
    sandbox.misbehaviour.add_rule(match={"method": "PATCH", "count": 1}, effect={"status": 503})
    upsert(api, {"Vault_External_ID_vod__c": "S2", "Name": "Two"})
    assert [entry[:4] for entry in list_written(sandbox)] == [("S1", "created", "", 0)]


def test_single_records_are_told_of_as_well(api: Api, sandbox: RunningSandbox) -> None:
    account = api.create("Account", LastName="Ada")
    api.patch(f"/sobjects/Account/{account}", json={"LastName": "Bea"})
    api.patch(f"/sobjects/Account/{account}", json={"LastName": "x" * 300})
    api.delete(f"/sobjects/Account/{account}")
    outcomes = [entry[1] for entry in list_written(sandbox, account)]
    assert outcomes == ["created", "updated", "refused", "deleted"]


def test_what_was_rolled_back_was_not_written(api: Api, sandbox: RunningSandbox) -> None:
    records = [
        {"attributes": {"type": "Account", "referenceId": "a"}, "LastName": "Ada"},
        {"attributes": {"type": "Account", "referenceId": "b"}, "LastName": ""},
    ]
    assert api.post("/composite/tree/Account", json={"records": records}).status_code == 400
    assert list_written(sandbox) == []
    assert api.post("/composite/tree/Account", json={"records": records[:1]}).status_code == 201
    assert [entry[1] for entry in list_written(sandbox)] == ["created"]


def test_what_is_rolled_back_takes_nothing_of_its_batch_along(api: Api, sandbox: RunningSandbox) -> None:
    tree = [{"attributes": {"type": "Account", "referenceId": "a"}, "LastName": ""}]
    parts = [
        {"method": "POST", "url": "v60.0/sobjects/Account", "richInput": {"LastName": "Ada"}},
        {"method": "POST", "url": "v60.0/composite/tree/Account", "richInput": {"records": tree}},
    ]
    answer = api.post("/composite/batch", json={"batchRequests": parts}).json()
    assert [result["statusCode"] for result in answer["results"]] == [201, 400]
    assert [(entry[1], entry[4]) for entry in list_written(sandbox)] == [("created", {"LastName": "Ada"})]


def test_the_log_keeps_the_last_records() -> None:
    log = RequestLog()
    entry = LogEntry(get_now(), "PATCH", "/", 200, 1.0)
    records = [
        WrittenRecord(
            object_name="Account", id=str(number), external_id="", outcome="updated", error_code="", values={}
        )
        for number in range(MAX_WRITTEN + 1)
    ]
    log.add(entry, written=records)
    assert (len(log.list_written()), log.list_written("0"), len(log.list_written("1"))) == (MAX_WRITTEN, [], 1)
    log.clear()
    assert log.list_written() == []
