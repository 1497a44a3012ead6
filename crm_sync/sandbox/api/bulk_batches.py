"""The batches of Bulk API 1.0: rows that are written, queries that are run, and what became of each.

Source: the chapter "Bulk API" of the Bulk API 2.0 and Bulk API Developer Guide.
"""

import csv
import io
import json
from collections.abc import Callable
from typing import Any

from crm_sync.sandbox.api.bulk_answers import answer, find_job, refuse
from crm_sync.sandbox.api.bulk_ingest import BATCH as ROWS_AT_ONCE
from crm_sync.sandbox.api.bulk_ingest import choose_reader, read_cells, read_one, write_batch
from crm_sync.sandbox.api.bulk_query import EVERYTHING, list_columns, plan_query, write_cell
from crm_sync.sandbox.api.bulk_xml import read_xml_rows
from crm_sync.sandbox.data.bulk_batches import BATCH, RESULT, BatchJob, BulkBatch
from crm_sync.sandbox.data.bulk_jobs import describe_failure
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse

MAX_ROWS = 10_000
MEDIA_TYPES = {"CSV": "text/csv", "JSON": "application/json;charset=UTF-8", "XML": "application/xml"}


def add_batch(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer POST /job/id/batch: write its rows, or run its query. The answer says that it is queued."""
    job = find_job(request, job_id)
    if job.state != "Open":
        raise refuse("InvalidJobState", f"Batches are added to a job that is Open; this one is {job.state}")
    jobs = request.service.batch_jobs
    batch = BulkBatch(id=jobs.reserve_id(BATCH), created=jobs.stamp(), sent=request.body or "")
    try:
        if job.is_query:
            find_rows(request, job, batch)
            batch.result_id = jobs.reserve_id(RESULT)
        else:
            write_rows_of(request, job, batch)
    except ApiError as error:
        batch.state, batch.message = "Failed", f"{error.code} : {error.message}"
    job.batches[batch.id] = batch
    queued = describe_batch(job, batch) | {"state": "Queued", "numberRecordsProcessed": 0, "numberRecordsFailed": 0}
    return answer("batchInfo", queued, as_json=job.content_type == "JSON", status=201)


def write_rows_of(request: ApiRequest, job: BatchJob, batch: BulkBatch) -> None:
    """Write the rows of a batch. Raises ApiError for a batch that cannot be read."""
    sent = read_rows(job, batch.sent)
    if len(sent) > MAX_ROWS:
        raise ApiError("InvalidBatch", f"Records batch size exceeds {MAX_ROWS}")
    sobject = request.find_sobject(job.object_name)
    key = sobject.find_field(job.external_id_field) if job.operation == "upsert" else None
    plan = choose_reader(job, sobject, key=key)
    fault = request.row_fault
    planned = [read_one(plan, sobject, values) for values in sent]
    for start in range(0, len(planned), ROWS_AT_ONCE):
        rows = planned[start : start + ROWS_AT_ONCE]
        write_batch(request.organisation, job, rows, key=key, fault=fault)
        written = [] if "elete" in job.operation else sent[start : start + ROWS_AT_ONCE]
        request.note_written(rows, sent=written)
    batch.outcomes = planned


def read_rows(job: BatchJob, content: str) -> list[dict[str, Any]]:
    """Return the rows of a batch as JSON objects. Raises ApiError."""
    try:
        rows = READERS[job.content_type](content)
    except (ValueError, csv.Error) as error:
        raise ApiError("InvalidBatch", f"Failed to parse {job.content_type}: {error}") from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ApiError("InvalidBatch", f"Failed to parse {job.content_type}: an array of objects is expected")
    return rows


def read_csv_rows(content: str) -> list[dict[str, Any]]:
    """Return the rows of a CSV file as JSON objects. Raises csv.Error."""
    reader = csv.reader(io.StringIO(content.removeprefix("\ufeff"), newline=""), strict=True)
    header, *lines = [row for row in reader if row] or [[]]
    return [read_cells(header, cells) for cells in lines]


READERS: dict[str, Callable[[str], Any]] = {"CSV": read_csv_rows, "JSON": json.loads, "XML": read_xml_rows}


def find_rows(request: ApiRequest, job: BatchJob, batch: BulkBatch) -> None:
    """Run the query of a batch and keep what it found. Raises ApiError."""
    plan = plan_query(request, batch.sent, include_deleted=job.operation == "queryAll")
    if plan.sobject.name != job.object_name:
        raise ApiError("InvalidBatch", f"The query is of {plan.sobject.name}, the job of {job.object_name}")
    runner = request.make_runner()
    rows = runner.select_rows(plan, limit=EVERYTHING)
    if job.content_type == "JSON":
        batch.records = runner.shape_records(plan, rows)
        return
    columns = list_columns(plan.shape)
    batch.records = [
        {name: write_cell(row[index], is_boolean=is_boolean) for name, index, is_boolean in columns} for row in rows
    ]


def find_batch(job: BatchJob, batch_id: str) -> BulkBatch:
    """Return a batch of a job. Raises ApiError."""
    for batch in job.batches.values():
        if batch_id in {batch.id, batch.id[:15]}:
            return batch
    raise refuse("InvalidBatch", f"Unable to find batch: {batch_id}")


def describe_batch(job: BatchJob, batch: BulkBatch) -> dict[str, Any]:
    """Return the description of a batch."""
    return {
        "id": batch.id,
        "jobId": job.id,
        "state": batch.state,
        "stateMessage": batch.message or None,
        "createdDate": batch.created,
        "systemModstamp": batch.created,
        "numberRecordsProcessed": batch.processed,
        "numberRecordsFailed": batch.failed,
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def list_batches(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /job/id/batch."""
    job = find_job(request, job_id)
    described = {"batchInfo": [describe_batch(job, batch) for batch in job.batches.values()]}
    return answer("batchInfoList", described, as_json=job.content_type == "JSON")


def read_batch(request: ApiRequest, *, job_id: str, batch_id: str) -> ApiResponse:
    """Answer GET /job/id/batch/id."""
    job = find_job(request, job_id)
    described = describe_batch(job, find_batch(job, batch_id))
    return answer("batchInfo", described, as_json=job.content_type == "JSON")


def read_request(request: ApiRequest, *, job_id: str, batch_id: str) -> ApiResponse:
    """Answer GET /job/id/batch/id/request with what was sent."""
    job = find_job(request, job_id)
    sent = find_batch(job, batch_id).sent.encode()
    return ApiResponse(sent, headers={"Content-Type": MEDIA_TYPES[job.content_type]})


# -- results ------------------------------------------------------------------------------------------


def read_result(request: ApiRequest, *, job_id: str, batch_id: str) -> ApiResponse:
    """Answer GET /job/id/batch/id/result: a result per row, or the ids of a query's results."""
    job = find_job(request, job_id)
    batch = find_batch(job, batch_id)
    if batch.state != "Completed":
        raise refuse("InvalidBatch", f"Batch not completed: {batch.message}")
    if job.is_query:
        found: Any = [batch.result_id]
        return answer(
            "result-list",
            found if job.content_type == "JSON" else {"result": found},
            as_json=job.content_type == "JSON",
        )
    if job.content_type == "CSV":
        rows = [
            [row.id or "", str(row.error is None).lower(), str(is_created(row)).lower(), describe_failure(row)]
            for row in batch.outcomes
        ]
        return write_csv_answer(["Id", "Success", "Created", "Error"], rows)
    results = [describe_row(row) for row in batch.outcomes]
    if job.content_type == "JSON":
        return ApiResponse(results)
    return answer("results", {"result": results}, as_json=False)


def is_created(row: PlannedRow) -> bool:
    """Whether a row has become a new record."""
    return row.created and row.error is None


def describe_row(row: PlannedRow) -> dict[str, Any]:
    """Return the result of one row."""
    errors = [] if row.error is None else [row.error.as_row() | {"extendedErrorDetails": None}]
    return {
        "success": row.error is None,
        "created": is_created(row),
        "id": row.id if row.error is None else None,
        "errors": errors,
    }


def read_found(request: ApiRequest, *, job_id: str, batch_id: str, result_id: str) -> ApiResponse:
    """Answer GET /job/id/batch/id/result/id with the records that a query found."""
    job = find_job(request, job_id)
    batch = find_batch(job, batch_id)
    if not job.is_query or result_id != batch.result_id:
        raise refuse("InvalidBatch", f"Unable to find result: {result_id}")
    if job.content_type == "JSON":
        return ApiResponse(batch.records)
    if job.content_type == "XML":
        return answer("queryResult", {"records": batch.records}, as_json=False)
    if not batch.records:
        return ApiResponse(b"Records not found for this query\n", headers={"Content-Type": "text/csv"})
    return write_csv_answer(list(batch.records[0]), [list(record.values()) for record in batch.records])


def write_csv_answer(header: list[str], rows: list[list[str]]) -> ApiResponse:
    """Return an answer that is CSV, with all values in quotes."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(header)
    writer.writerows(rows)
    return ApiResponse(text.getvalue().encode(), headers={"Content-Type": "text/csv"})
