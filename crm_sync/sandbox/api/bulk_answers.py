"""How Bulk API 1.0 answers and refuses: as JSON or as XML, whichever the client speaks."""

from typing import Any

from crm_sync.sandbox.api.bulk_xml import write_xml
from crm_sync.sandbox.data.bulk_batches import BatchJob
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse


def refuse(code: str, message: str) -> ApiError:
    """Return the refusal of a request; the codes are those of Bulk API 1.0."""
    return ApiError(code, message)


def answer(name: str, content: Any, *, as_json: bool, status: int = 200) -> ApiResponse:
    """Return an answer as JSON, or as XML below an element of this name."""
    if as_json:
        return ApiResponse(content, status)
    return ApiResponse(write_xml(name, content), status, {"Content-Type": "application/xml"})


def speaks_json(request: ApiRequest) -> bool:
    """Whether a request about a job is JSON. Without a body, what it accepts decides."""
    header = request.headers.get("content-type") or request.headers.get("accept", "")
    return "json" in header


def find_job(request: ApiRequest, job_id: str) -> BatchJob:
    """Return a job by its id of 15 or 18 characters. Raises ApiError."""
    for job in request.service.batch_jobs.by_id.values():
        if job_id in {job.id, job.id[:15]}:
            return job
    raise refuse("InvalidJob", f"Unable to find job: {job_id}")
