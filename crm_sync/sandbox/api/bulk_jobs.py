"""What the jobs of Bulk API 2.0 have in common: how they are described, listed, changed and deleted."""

from collections.abc import Mapping
from typing import Any

from crm_sync.sandbox.data.bulk_jobs import ENDED, BulkJob
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse

CSV_TYPE = "text/csv; charset=UTF-8"


def read_choice(body: Mapping[str, Any], name: str, *, choices: Mapping[str, Any], default: str) -> str:
    """Return a value of the body that must be one of some. Raises ApiError."""
    value = body.get(name) or default
    if value not in choices:
        raise ApiError("InvalidJob", f"{name}: {value} is not one of {', '.join(choices)}")
    return str(value)


def describe_job(request: ApiRequest, job: BulkJob, *, whole: bool = True) -> dict[str, Any]:
    """Return the description of a job; `whole` with how far it has come, as GET answers it."""
    kind = "V2Ingest" if job.kind == "ingest" else "V2Query"
    described: dict[str, Any] = {
        "id": job.id,
        "operation": job.operation,
        "object": job.object_name,
        "createdById": job.user_id,
        "createdDate": job.created,
        "systemModstamp": job.changed,
        "state": job.state,
        "concurrencyMode": "Parallel",
        "contentType": "CSV",
        "apiVersion": float(job.version),
        "lineEnding": job.line_ending,
        "columnDelimiter": job.delimiter,
    }
    if job.external_id_field:
        described["externalIdFieldName"] = job.external_id_field
    if job.kind == "ingest" and job.state == "Open":
        described["contentUrl"] = f"{request.base_path.lstrip('/')}/jobs/ingest/{job.id}/batches"
    if whole:
        milliseconds = int(job.seconds * 1000)
        described |= {
            "jobType": kind,
            "retries": 0,
            "totalProcessingTime": milliseconds,
            "numberRecordsProcessed": job.processed,
        }
    if whole and job.kind == "ingest":
        described |= {
            "apiActiveProcessingTime": milliseconds,
            "apexProcessingTime": 0,
            "numberRecordsFailed": job.failed,
        }
    if job.error:
        described["errorMessage"] = job.error
    return described


def list_jobs(request: ApiRequest, *, kind: str) -> ApiResponse:
    """Answer GET /jobs/ingest and /jobs/query."""
    jobs = request.service.bulk_jobs.list_all(kind=kind)
    return ApiResponse(
        {"done": True, "nextRecordsUrl": None, "records": [describe_job(request, job, whole=False) for job in jobs]}
    )


def read_job(request: ApiRequest, *, kind: str, job_id: str) -> ApiResponse:
    """Answer GET /jobs/ingest/id and /jobs/query/id."""
    return ApiResponse(describe_job(request, request.service.bulk_jobs.find(job_id, kind=kind)))


def abort_job(request: ApiRequest, job: BulkJob) -> ApiResponse:
    """End a job that has not ended, and return its description. What it has written stays."""
    if job.state in ENDED:
        raise ApiError("INVALIDJOBSTATE", f"Aborting already {job.state} Job not allowed")
    request.service.bulk_jobs.change_state(job, "Aborted")
    return ApiResponse(describe_job(request, job, whole=False))


def delete_job(request: ApiRequest, *, kind: str, job_id: str) -> ApiResponse:
    """Answer DELETE /jobs/ingest/id and /jobs/query/id."""
    request.service.bulk_jobs.remove(request.service.bulk_jobs.find(job_id, kind=kind))
    return ApiResponse(status=204)


def answer_csv(content: bytes, headers: Mapping[str, str] | None = None) -> ApiResponse:
    """Return an answer that is a CSV file."""
    return ApiResponse(content, headers={"Content-Type": CSV_TYPE, **(headers or {})})
