"""Bulk API 2.0, ingest: `/jobs/ingest`. A job takes one CSV file, whose rows are written in batches of 200.

Source: the chapter "Bulk API 2.0 Ingest" of the Bulk API 2.0 and Bulk API Developer Guide.
"""

from collections.abc import Callable, Iterator
from typing import Any

from crm_sync.sandbox.api.bulk_jobs import abort_job, answer_csv, describe_job, read_choice
from crm_sync.sandbox.api.records import check_writable
from crm_sync.sandbox.data.bulk_batches import BatchJob
from crm_sync.sandbox.data.bulk_jobs import (
    DELIMITERS,
    LINE_ENDINGS,
    BulkJob,
    describe_outcomes,
    read_rows,
    write_csv,
)
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.writes import RowFault, delete_rows, write_rows
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse

AnyJob = BulkJob | BatchJob
BATCH = 200
OPERATIONS = dict.fromkeys(("insert", "update", "upsert", "delete", "hardDelete"))
NOTHING = "#N/A"  # empties a field, whereas an empty cell leaves it as it is


def create_job(request: ApiRequest) -> ApiResponse:
    """Answer POST /jobs/ingest."""
    body = request.read_object_body()
    sobject = find_bulk_object(request, body.get("object"))
    operation = read_choice(body, "operation", choices=OPERATIONS, default="")
    delimiter = read_choice(body, "columnDelimiter", choices=DELIMITERS, default="COMMA")
    line_ending = read_choice(body, "lineEnding", choices=LINE_ENDINGS, default="LF")
    read_choice(body, "contentType", choices={"CSV": None}, default="CSV")
    key = str(body.get("externalIdFieldName") or "")
    if operation == "upsert":
        field = sobject.find_field(key)
        if field is None or not (field.external_id or field.type == "id"):
            raise ApiError(
                "InvalidJob", f"externalIdFieldName: {key or 'nothing'} is not an external id of {sobject.name}"
            )
    job = request.service.bulk_jobs.add(
        kind="ingest",
        operation=operation,
        object_name=sobject.name,
        user_id=request.user_id,
        version=request.version,
        state="Open",
    )
    job.delimiter, job.line_ending, job.external_id_field = delimiter, line_ending, key
    return ApiResponse(describe_job(request, job, whole=False))


def find_bulk_object(request: ApiRequest, name: object) -> SObject:
    """Return the object of a job. Raises ApiError for one that does not exist or cannot be written."""
    try:
        sobject = request.find_sobject(str(name or ""))
    except ApiError:
        raise ApiError("INVALIDENTITY", f"Unable to find object: {name}") from None
    check_writable(sobject)
    return sobject


def upload_rows(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer PUT /jobs/ingest/id/batches with the job's one file. What is wrong with it is told by the job's state."""
    job = request.service.bulk_jobs.find(job_id, kind="ingest")
    if job.state != "Open" or job.uploaded:
        raise ApiError("INVALIDJOBSTATE", "Found multiple contents for job: upload one file to a job that is Open")
    content = "" if request.body is None else request.body
    if not isinstance(content, str):
        raise ApiError("UNSUPPORTED_MEDIA_TYPE", "Content type of the rows must be text/csv")
    job.uploaded = True
    try:
        read_rows(job, content)
    except ApiError as error:
        job.error = f"{error.code} : {error.message}"
    return ApiResponse(status=201)


def change_job(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer PATCH /jobs/ingest/id: begin to write what was uploaded, or abort."""
    job = request.service.bulk_jobs.find(job_id, kind="ingest")
    state = read_choice(
        request.read_object_body(), "state", choices=dict.fromkeys(("UploadComplete", "Aborted")), default=""
    )
    if state == "Aborted":
        return abort_job(request, job)
    if job.state != "Open":
        raise ApiError("INVALIDJOBSTATE", f"A job in the state {job.state} cannot be closed: it must be Open.")
    request.service.bulk_jobs.change_state(job, "UploadComplete")
    request.service.bulk_jobs.start(job, write_job(request, job))
    return ApiResponse(describe_job(request, job, whole=False))


# -- writing ------------------------------------------------------------------------------------------


def write_job(request: ApiRequest, job: BulkJob) -> Iterator[None]:
    """Write the rows of a job, a batch at each step. Raises ApiError for a file that cannot be read at all."""
    if job.error:
        code, _, message = job.error.partition(" : ")
        raise ApiError(code, message)
    sobject = request.find_sobject(job.object_name)
    key = sobject.find_field(job.external_id_field) if job.operation == "upsert" else None
    plan = choose_reader(job, sobject, key=key)
    fault = request.row_fault
    for start in range(0, len(job.rows), BATCH):
        batch = job.rows[start : start + BATCH]
        sent = [read_cells(job.header, cells) for cells in batch]
        planned = [read_one(plan, sobject, values) for values in sent]
        write_batch(request.organisation, job, planned, key=key, fault=fault)
        request.note_written(planned, sent=[] if "elete" in job.operation else sent)
        job.outcomes += planned
        yield


def write_batch(
    organisation: Organisation,
    job: BulkJob | BatchJob,
    rows: list[PlannedRow],
    *,
    key: Field | None,
    fault: RowFault | None,
) -> None:
    """Write or delete the rows of a batch."""
    if "elete" in job.operation:
        delete_rows(organisation, rows, user_id=job.user_id, row_fault=fault)
    else:
        write_rows(
            organisation, rows, user_id=job.user_id, key=key if key and key.type != "id" else None, row_fault=fault
        )


def read_cells(header: list[str], cells: list[str]) -> dict[str, Any]:
    """Return a row as the JSON object that would say the same. Empty cells are left out.

    A column such as `Account_vod__r.External_ID_vod__c` is a reference by external id.
    """
    values: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        if not cell:
            continue
        relationship, dot, key = name.partition(".")
        value = None if cell == NOTHING else cell
        values[relationship if dot else name] = {key.rpartition(".")[2]: value} if dot and value is not None else value
    return values


def choose_reader(job: AnyJob, sobject: SObject, *, key: Field | None) -> Callable[[dict[str, Any]], PlannedRow]:
    """Return the function that plans a row of this operation."""

    def read_new(values: dict[str, Any]) -> PlannedRow:
        row = read_record(sobject, values)
        row.created = True
        return row

    def read_known(values: dict[str, Any]) -> PlannedRow:
        row = read_record(sobject, values, allow_id=True)
        given = next((str(value) for name, value in values.items() if name.lower() == "id" and value), "")
        row.id = normalise_id(given)
        if not given and job.operation == "upsert":
            row.created = True
        elif row.id is None:
            row.refuse("MALFORMED_ID" if given else "MISSING_ARGUMENT", f"Id: {given or 'not specified'}", ["Id"])
        elif not row.id.startswith(sobject.key_prefix):
            row.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        return row

    def read_keyed(values: dict[str, Any]) -> PlannedRow:
        return read_record(sobject, values, key=key)

    if job.operation == "insert":
        return read_new
    return read_keyed if key is not None and key.type != "id" else read_known


def read_one(plan: Callable[[dict[str, Any]], PlannedRow], sobject: SObject, values: dict[str, Any]) -> PlannedRow:
    """Return a planned row. A value of the wrong type refuses its row alone; an unknown column ends the job.

    Raises ApiError `InvalidBatch`.
    """
    try:
        return plan(values)
    except ApiError as error:
        if error.code == "INVALID_FIELD":
            raise ApiError("InvalidBatch", error.message) from error
        row = PlannedRow(sobject, {})
        row.refuse("INVALID_TYPE_ON_FIELD_IN_RECORD", error.message)
        return row


# -- results ------------------------------------------------------------------------------------------


def read_successful(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /jobs/ingest/id/successfulResults."""
    job = request.service.bulk_jobs.find(job_id, kind="ingest")
    return answer_csv(describe_outcomes(job, wanted=lambda row: row.error is None, failures=False))


def read_failed(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /jobs/ingest/id/failedResults."""
    job = request.service.bulk_jobs.find(job_id, kind="ingest")
    return answer_csv(describe_outcomes(job, wanted=lambda row: row.error is not None, failures=True))


def read_unprocessed(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /jobs/ingest/id/unprocessedrecords: the rows to which an aborted or failed job has not come."""
    job = request.service.bulk_jobs.find(job_id, kind="ingest")
    return answer_csv(write_csv(job, job.header, job.rows[len(job.outcomes) :]))
