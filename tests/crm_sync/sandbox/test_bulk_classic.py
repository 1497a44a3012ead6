"""Bulk API 1.0 over HTTP, as clients speak it that know XML and CSV."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests

from crm_sync.sandbox import RunningSandbox
from tests.crm_sync.sandbox.conftest import log_in

NS = "{http://www.force.com/2009/06/asyncapi/dataload}"


class Bulk:
    """Calls Bulk API 1.0 with the header in which its token is."""

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.base = f"{sandbox.base_url}/services/async/60.0"
        self.token = log_in(sandbox)

    def send(self, method: str, path: str, data: str = "", content_type: str = "application/xml") -> requests.Response:
        headers = {"X-SFDC-Session": self.token, "Content-Type": content_type}
        return requests.request(method, f"{self.base}{path}", data=data.encode(), headers=headers, timeout=30)

    def read(self, method: str, path: str, data: str = "", content_type: str = "application/xml") -> dict[str, str]:
        """Return the texts of the elements of an answer in XML."""
        answer = self.send(method, path, data, content_type)
        assert answer.ok, answer.text
        return {child.tag.removeprefix(NS): child.text or "" for child in ET.fromstring(answer.text)}  # noqa: S314

    def create_job(self, operation: str, content_type: str, **more: str) -> str:
        fields = {"operation": operation, "object": "Account", "contentType": content_type, **more}
        inner = "".join(f"<{name}>{value}</{name}>" for name, value in fields.items())
        document = f'<?xml version="1.0" encoding="UTF-8"?><jobInfo xmlns="{NS[1:-1]}">{inner}</jobInfo>'
        job = self.read("POST", "/job", document)
        assert (job["state"], job["contentType"]) == ("Open", content_type)
        return job["id"]


@pytest.fixture
def bulk(sandbox: RunningSandbox) -> Bulk:
    return Bulk(sandbox)


def test_rows_as_csv_and_then_a_query(bulk: Bulk) -> None:
    job = bulk.create_job("insert", "CSV", concurrencyMode="Serial")
    batch = bulk.read("POST", f"/job/{job}/batch", "LastName,FirstName\nSilva,Ana\n,Nobody\n", "text/csv")
    assert batch["state"] == "Queued"
    done = bulk.read("GET", f"/job/{job}/batch/{batch['id']}")
    assert (done["state"], done["numberRecordsProcessed"], done["numberRecordsFailed"]) == ("Completed", "2", "1")
    lines = bulk.send("GET", f"/job/{job}/batch/{batch['id']}/result").text.splitlines()
    assert lines[0] == '"Id","Success","Created","Error"'
    assert lines[1].endswith('"true","true",""')
    assert '"false","false","REQUIRED_FIELD_MISSING' in lines[2]
    assert bulk.send("GET", f"/job/{job}/batch/{batch['id']}/request").text.startswith("LastName")
    closed = bulk.read("POST", f"/job/{job}", "<jobInfo><state>Closed</state></jobInfo>")
    assert (closed["state"], closed["numberBatchesCompleted"]) == ("Closed", "1")
    assert bulk.send("POST", f"/job/{job}/batch", "LastName\nX\n", "text/csv").status_code == 400

    job = bulk.create_job("query", "CSV")
    batch = bulk.read("POST", f"/job/{job}/batch", "SELECT LastName, FirstName FROM Account", "text/csv")
    path = f"/job/{job}/batch/{batch['id']}/result"
    result = bulk.read("GET", path)["result"]
    assert bulk.send("GET", f"{path}/{result}").text == '"LastName","FirstName"\n"Silva","Ana"\n'


def test_rows_as_xml(bulk: Bulk) -> None:
    job = bulk.create_job("upsert", "XML", externalIdFieldName="External_ID_vod__c")
    rows = (
        '<sObjects xmlns="x" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><sObject><LastName>Silva &amp; Co'
        '</LastName><External_ID_vod__c>x1</External_ID_vod__c><FirstName xsi:nil="true"/></sObject></sObjects>'
    )
    batch = bulk.read("POST", f"/job/{job}/batch", rows)
    [result] = ET.fromstring(bulk.send("GET", f"/job/{job}/batch/{batch['id']}/result").text)  # noqa: S314
    assert [result.findtext(f"{NS}{name}") for name in ("success", "created")] == ["true", "true"]
    [info] = ET.fromstring(bulk.send("GET", f"/job/{job}/batch").text)  # noqa: S314
    assert info.findtext(f"{NS}state") == "Completed"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/job", {"operation": "merge", "object": "Account"}, "InvalidJob"),
        ("/job", {"operation": "insert", "object": "Nothing"}, "InvalidEntity"),
        ("/job", {"operation": "upsert", "object": "Account", "externalIdFieldName": "Name"}, "InvalidJob"),
        ("/job", {"operation": "insert", "object": "Account", "contentType": "PDF"}, "InvalidJob"),
        ("/job/750000000000000AAA", {"state": "Closed"}, "InvalidJob"),
    ],
)
def test_refusals_have_the_codes_of_this_api(bulk: Bulk, path: str, body: dict[str, Any], code: str) -> None:
    answer = requests.post(f"{bulk.base}{path}", json=body, headers={"X-SFDC-Session": bulk.token}, timeout=30)
    assert (answer.status_code, answer.json()["exceptionCode"]) == (400, code)
    assert answer.headers["Content-Type"] == "application/json"


def test_a_batch_that_cannot_be_read_fails_and_says_why(bulk: Bulk) -> None:
    job = bulk.create_job("insert", "CSV")
    for content, words in (
        ("Nothing__c\n1\n", "No such column 'Nothing__c'"),
        ('LastName\n"Sil"va\n', "Failed to parse CSV"),
    ):
        batch = bulk.read("POST", f"/job/{job}/batch", content, "text/csv")
        done = bulk.read("GET", f"/job/{job}/batch/{batch['id']}")
        assert done["state"] == "Failed"
        assert words in done["stateMessage"]


def test_a_wrong_token_is_refused(bulk: Bulk) -> None:
    bulk.token = "wrong"
    assert bulk.send("POST", "/job", "<jobInfo/>").status_code == 401
