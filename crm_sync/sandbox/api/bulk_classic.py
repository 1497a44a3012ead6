"""Bulk API 1.0: `/services/async/XX.0/job`. A job takes batches of rows or queries as CSV, JSON or XML.

Source: the chapter "Bulk API" of the Bulk API 2.0 and Bulk API Developer Guide.
"""

import json
from typing import Any

from crm_sync.sandbox.api import bulk_batches
from crm_sync.sandbox.api.bulk_answers import answer, find_job, refuse, speaks_json
from crm_sync.sandbox.api.bulk_ingest import find_bulk_object
from crm_sync.sandbox.api.bulk_xml import read_xml
from crm_sync.sandbox.data.bulk_batches import JOB, BatchJob
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse, Routes

OPERATIONS = frozenset({"insert", "update", "upsert", "delete", "hardDelete", "query", "queryAll"})
CONTENT_TYPES = frozenset({"CSV", "JSON", "XML"})


def read_body(request: ApiRequest) -> dict[str, Any]:
    """Return the fields of a job in a request. Raises ApiError for a body that is neither JSON nor XML."""
    try:
        body = json.loads(request.body) if speaks_json(request) else read_xml(request.body or "")
    except ValueError as error:
        raise refuse("InvalidRequest", f"The job cannot be read: {error}") from error
    if not isinstance(body, dict):
        raise refuse("InvalidRequest", "The job has to be an object")
    return body


# -- jobs ---------------------------------------------------------------------------------------------


def create_job(request: ApiRequest) -> ApiResponse:
    """Answer POST /job."""
    body = read_body(request)
    operation, content_type = str(body.get("operation", "")), str(body.get("contentType") or "XML").upper()
    if operation not in OPERATIONS:
        raise refuse("InvalidJob", f"operation: {operation or 'nothing'} is not one of {', '.join(sorted(OPERATIONS))}")
    if content_type not in CONTENT_TYPES:
        raise refuse("InvalidJob", f"contentType: {content_type} is not one of {', '.join(sorted(CONTENT_TYPES))}")
    try:
        sobject = find_bulk_object(request, body.get("object")) if "query" not in operation else None
        name = sobject.name if sobject else request.find_sobject(str(body.get("object", ""))).name
    except ApiError:
        raise refuse("InvalidEntity", f"Unable to find object: {body.get('object')}") from None
    key = str(body.get("externalIdFieldName") or "")
    field = sobject.find_field(key) if sobject else None
    if operation == "upsert" and (field is None or not (field.external_id or field.type == "id")):
        raise refuse("InvalidJob", f"externalIdFieldName: {key or 'nothing'} is no external id of {name}")
    jobs = request.service.batch_jobs
    serial = str(body.get("concurrencyMode", "")).lower() in {"1", "serial"}
    job = BatchJob(
        id=jobs.reserve_id(JOB),
        operation=operation,
        object_name=name,
        content_type=content_type,
        external_id_field=key,
        concurrency="Serial" if serial else "Parallel",
        user_id=request.user_id,
        version=request.version,
        created=jobs.stamp(),
    )
    jobs.by_id[job.id] = job
    return answer("jobInfo", describe_job(job), as_json=speaks_json(request), status=201)


def describe_job(job: BatchJob) -> dict[str, Any]:
    """Return the description of a job."""
    batches = list(job.batches.values())
    return {
        "id": job.id,
        "operation": job.operation,
        "object": job.object_name,
        "createdById": job.user_id,
        "createdDate": job.created,
        "systemModstamp": job.created,
        "state": job.state,
        "externalIdFieldName": job.external_id_field or None,
        "concurrencyMode": job.concurrency,
        "contentType": job.content_type,
        "numberBatchesQueued": 0,
        "numberBatchesInProgress": 0,
        "numberBatchesCompleted": sum(batch.state == "Completed" for batch in batches),
        "numberBatchesFailed": sum(batch.state == "Failed" for batch in batches),
        "numberBatchesTotal": len(batches),
        "numberRecordsProcessed": sum(batch.processed for batch in batches),
        "numberRetries": 0,
        "apiVersion": float(job.version),
        "numberRecordsFailed": sum(batch.failed for batch in batches),
        "totalProcessingTime": 0,
        "apiActiveProcessingTime": 0,
        "apexProcessingTime": 0,
    }


def read_job(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /job/id."""
    return answer("jobInfo", describe_job(find_job(request, job_id)), as_json=speaks_json(request))


def change_job(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer POST /job/id, which closes or aborts."""
    job = find_job(request, job_id)
    state = str(read_body(request).get("state", ""))
    if state not in {"Closed", "Aborted"}:
        raise refuse("InvalidJob", f"state: {state or 'nothing'} is not one of Closed, Aborted")
    if job.state != "Open":
        raise refuse("InvalidJobState", f"A job that is {job.state} cannot be {state}")
    job.state = state
    return answer("jobInfo", describe_job(job), as_json=speaks_json(request))


def build_routes() -> Routes:
    """Return the routes below `/services/async/XX.0`."""
    routes = Routes()
    job, batch = r"/job/(?P<job_id>\w{15,18})", r"/batch/(?P<batch_id>\w{15,18})"
    routes.add("/job", POST=create_job)
    routes.add(job, GET=read_job, POST=change_job)
    routes.add(f"{job}/batch", GET=bulk_batches.list_batches, POST=bulk_batches.add_batch)
    routes.add(job + batch, GET=bulk_batches.read_batch)
    routes.add(f"{job}{batch}/request", GET=bulk_batches.read_request)
    routes.add(f"{job}{batch}/result", GET=bulk_batches.read_result)
    routes.add(rf"{job}{batch}/result/(?P<result_id>\w+)", GET=bulk_batches.read_found)
    return routes


def answer_classic(request: ApiRequest, routes: Routes) -> ApiResponse:
    """Answer a request below `/services/async/XX.0`. Refusals are JSON or XML, as the request is.

    JSON is called so without a character set, as clients expect who compare the whole header (`salesforce-bulk`).
    """
    try:
        response = routes.dispatch(request)
    except ApiError as error:
        body = {"exceptionCode": error.code, "exceptionMessage": error.message}
        response = answer("error", body, as_json=speaks_json(request), status=error.status)
        response.headers |= error.headers
    response.headers.setdefault("Content-Type", "application/json")
    return response


CLASSIC_ROUTES = build_routes()
