"""Bulk API 2.0 over HTTP: jobs that write rows, and jobs that query."""

from __future__ import annotations

import csv
import io
import time
from typing import Any

import pytest

from tests.crm_sync.sandbox.conftest import Api, describe_error


def create_job(api: Api, *, kind: str = "ingest", **values: Any) -> dict[str, Any]:
    answer = api.post(f"/jobs/{kind}", json=values)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    return job


def upload(api: Api, job: dict[str, Any], content: str) -> None:
    address = f"{api.sandbox.base_url}/{job['contentUrl']}"
    answer = api.session.put(address, data=content.encode(), headers={"Content-Type": "text/csv"}, timeout=30)
    assert (answer.status_code, answer.content) == (201, b"")


def wait_for(api: Api, job: dict[str, Any], *, kind: str = "ingest") -> dict[str, Any]:
    for _ in range(6_000):
        described: dict[str, Any] = api.get(f"/jobs/{kind}/{job['id']}").json()
        if described["state"] in {"JobComplete", "Failed", "Aborted"}:
            return described
        time.sleep(0.01)
    raise AssertionError(described)


def run(api: Api, content: str, **values: Any) -> dict[str, Any]:
    """Run a job over a file and return its description at its end."""
    job = create_job(api, **values)
    upload(api, job, content)
    closed = api.patch(f"/jobs/ingest/{job['id']}", json={"state": "UploadComplete"}).json()
    assert closed["state"] == "UploadComplete"
    return wait_for(api, job)


def read_results(api: Api, job: dict[str, Any], name: str) -> list[dict[str, str]]:
    answer = api.get(f"/jobs/ingest/{job['id']}/{name}")
    assert answer.headers["Content-Type"] == "text/csv; charset=UTF-8"
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_rows_are_inserted_and_each_refusal_says_why(api: Api) -> None:
    job = run(
        api,
        'LastName,PersonEmail,External_ID_vod__c\nSilva,a@example.com,x1\n,b@example.com,x2\n"Co, sta",no mail,x3\n',
        object="Account",
        operation="insert",
    )
    assert (job["state"], job["numberRecordsProcessed"], job["numberRecordsFailed"]) == ("JobComplete", 3, 2)
    [created] = read_results(api, job, "successfulResults")
    assert (created["sf__Created"], created["LastName"]) == ("true", "Silva")
    assert api.list_values("SELECT Id FROM Account") == [created["sf__Id"]]
    first, second = read_results(api, job, "failedResults")
    assert first["sf__Error"].startswith("REQUIRED_FIELD_MISSING:Required fields are missing: [Name]")
    assert second["sf__Error"].startswith("INVALID_EMAIL_ADDRESS:")
    assert second["LastName"] == "Co, sta"
    assert read_results(api, job, "unprocessedrecords") == []


def test_upserts_updates_and_deletions(api: Api) -> None:
    account = api.create("Account", LastName="Silva", External_ID_vod__c="x1", FirstName="Ana")
    job = run(
        api,
        "External_ID_vod__c;LastName;FirstName\r\nx1;Costa;#N/A\r\nx2;Neu;\r\n",
        object="Account",
        operation="upsert",
        externalIdFieldName="External_ID_vod__c",
        columnDelimiter="SEMICOLON",
        lineEnding="CRLF",
    )
    text = api.get(f"/jobs/ingest/{job['id']}/successfulResults").text
    assert text.splitlines()[0] == '"sf__Id";"sf__Created";"External_ID_vod__c";"LastName";"FirstName"'
    assert [line.split(";")[1] for line in text.splitlines()[1:]] == ['"false"', '"true"']
    [changed] = api.query(f"SELECT LastName, FirstName FROM Account WHERE Id = '{account}'")["records"]  # noqa: S608
    assert (changed["LastName"], changed["FirstName"]) == ("Costa", None)
    run(api, f"Id,FirstName\n{account},Eva\n", object="Account", operation="update")
    assert api.list_values("SELECT FirstName FROM Account WHERE External_ID_vod__c = 'x1'") == ["Eva"]
    job = run(api, f"Id\n{account}\n001000000000000AAA\n", object="Account", operation="delete")
    assert job["numberRecordsFailed"] == 1
    [failed] = read_results(api, job, "failedResults")
    assert failed["sf__Error"].startswith("INVALID_CROSS_REFERENCE_KEY:")
    assert api.list_values("SELECT External_ID_vod__c FROM Account") == ["x2"]


def test_references_by_external_id(api: Api) -> None:
    account = api.create("Account", LastName="Silva", External_ID_vod__c="x1")
    job = run(
        api,
        "Account_vod__r.External_ID_vod__c,Call_Date_vod__c,Status_vod__c\nx1,2026-01-04,Planned_vod\n"
        "nobody,2026-01-04,Planned_vod\nx1,soon,Planned_vod\n",
        object="Call2_vod__c",
        operation="insert",
    )
    assert api.list_values("SELECT Account_vod__c FROM Call2_vod__c") == [account]
    missing, wrong = read_results(api, job, "failedResults")
    assert "Foreign key external ID: nobody not found" in missing["sf__Error"]
    assert wrong["sf__Error"].startswith("INVALID_TYPE_ON_FIELD_IN_RECORD:")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("LastName,Nothing__c\nSilva,1\n", "InvalidBatch : No such column 'Nothing__c'"),
        ("LastName\r\nSilva\r\n", "LineEnding is invalid on user data. Current LineEnding setting is LF"),
        ("LastName\nSilva,1\n", "Too many columns in row 2"),
        ('LastName\n"Sil"va\n', "Failed to parse CSV"),
        ("", "no header row"),
    ],
)
def test_a_file_that_cannot_be_read_fails_its_job(api: Api, content: str, words: str) -> None:
    job = run(api, content, object="Account", operation="insert")
    assert job["state"] == "Failed"
    assert words in job["errorMessage"]
    assert api.query("SELECT COUNT() FROM Account")["totalSize"] == 0


def test_refusals_of_rows_on_purpose_reach_bulk_jobs(api: Api) -> None:
    api.sandbox.misbehaviour.add_rule(
        match={"path": "/jobs/ingest/.*"}, effect={"row_errors": {"x2": "UNABLE_TO_LOCK_ROW"}}
    )
    rows = "".join(f"Silva,x{number}\n" for number in range(450))
    job = run(api, f"LastName,External_ID_vod__c\n{rows}", object="Account", operation="insert")
    assert (job["numberRecordsProcessed"], job["numberRecordsFailed"]) == (450, 1)
    [failed] = read_results(api, job, "failedResults")
    assert failed["sf__Error"].startswith("UNABLE_TO_LOCK_ROW:")


def test_states_that_do_not_fit_are_refused(api: Api) -> None:
    job = create_job(api, object="Account", operation="insert")
    assert describe_error(api.delete(f"/jobs/ingest/{job['id']}")) == (400, "INVALIDJOBSTATE")
    upload(api, job, "LastName\nSilva\n")
    again = api.session.put(
        f"{api.sandbox.base_url}/{job['contentUrl']}", data=b"x", headers={"Content-Type": "text/csv"}, timeout=30
    )
    assert describe_error(again) == (400, "INVALIDJOBSTATE")
    aborted = api.patch(f"/jobs/ingest/{job['id']}", json={"state": "Aborted"}).json()
    assert aborted["state"] == "Aborted"
    assert [row["LastName"] for row in read_results(api, job, "unprocessedrecords")] == ["Silva"]
    assert [each["id"] for each in api.get("/jobs/ingest").json()["records"]] == [job["id"]]
    late = api.patch(f"/jobs/ingest/{job['id']}", json={"state": "UploadComplete"})
    assert describe_error(late) == (400, "INVALIDJOBSTATE")
    assert api.delete(f"/jobs/ingest/{job['id']}").status_code == 204
    assert describe_error(api.get(f"/jobs/ingest/{job['id']}")) == (404, "NOT_FOUND")
    for body, code in (
        ({"object": "Nothing", "operation": "insert"}, "INVALIDENTITY"),
        ({"object": "Account", "operation": "merge"}, "InvalidJob"),
        ({"object": "Account", "operation": "upsert", "externalIdFieldName": "Name"}, "InvalidJob"),
        ({"object": "Account", "operation": "insert", "lineEnding": "CR"}, "InvalidJob"),
    ):
        assert describe_error(api.post("/jobs/ingest", json=body)) == (400, code), body


def test_a_query_is_answered_in_pages(api: Api) -> None:
    account = api.create("Account", LastName="Silva", External_ID_vod__c='x"1')
    deleted = api.create("Account", LastName="Gone")
    api.delete(f"/sobjects/Account/{deleted}")
    api.create("Account", LastName="Costa")
    query = "SELECT Id, LastName, IsDeleted, CreatedDate, CreatedBy.Name, External_ID_vod__c FROM Account"
    job = create_job(api, kind="query", operation="queryAll", query=query)
    assert job["state"] == "UploadComplete"
    done = wait_for(api, job, kind="query")
    assert (done["state"], done["numberRecordsProcessed"], done["object"]) == ("JobComplete", 3, "Account")
    rows: list[dict[str, str]] = []
    locator = ""
    pages = 0
    while locator != "null":
        answer = api.get(f"/jobs/query/{job['id']}/results", params={"maxRecords": "2", "locator": locator})
        rows += csv.DictReader(io.StringIO(answer.text))
        locator = answer.headers["Sforce-Locator"]
        pages += 1
    assert pages == 2
    assert [(row["LastName"], row["IsDeleted"]) for row in rows] == [
        ("Silva", "false"),
        ("Gone", "true"),
        ("Costa", "false"),
    ]
    assert (rows[0]["Id"], rows[0]["External_ID_vod__c"]) == (account, 'x"1')
    assert rows[0]["CreatedBy.Name"] != ""
    assert rows[0]["CreatedDate"].endswith(".000Z")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT COUNT() FROM Account", "API_ERROR"),
        ("SELECT Name, COUNT(Id) FROM Account GROUP BY Name", "API_ERROR"),
        ("SELECT Id, (SELECT Id FROM Call2_vod__r) FROM Account", "API_ERROR"),
        ("SELECT Nothing FROM Account", "INVALID_FIELD"),
        ("SELECT", "MALFORMED_QUERY"),
    ],
)
def test_queries_that_bulk_does_not_take_are_refused_at_once(api: Api, query: str, code: str) -> None:
    assert describe_error(api.post("/jobs/query", json={"operation": "query", "query": query})) == (400, code)
