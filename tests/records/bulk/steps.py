"""Steps of users in tests of imports and bulk edits: upload, choose, confirm, and run the job."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from ctms.audit.models import AuditEntry
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from ctms.records.models import BulkOperation

Problems = list[tuple[int, str, str]]


def send_file(client: Client, object_name: str, content: str | bytes, *, name: str = "rows.csv", **options: Any) -> Any:
    """Upload a file. By default records are found by external ID and changed; empty cells change nothing."""
    data = content.encode() if isinstance(content, str) else content
    sent = {"key": "external_id__v", "update_existing": "on"} | options
    return client.post(
        f"/records/{object_name}/import/",
        {"file": SimpleUploadedFile(name, data)} | {key: value for key, value in sent.items() if value},
    )


def upload(client: Client, object_name: str, content: str | bytes, **options: Any) -> BulkOperation:
    """Upload a readable file and return its operation, which is checked."""
    response = send_file(client, object_name, content, **options)
    assert response.status_code == 302, response.context["form"].errors
    return BulkOperation.objects.get(uid=response.url.split("/")[-2])


def read_refusal(response: HttpResponse) -> list[str]:
    """Return why an upload was refused."""
    errors: list[str] = response.context["form"].errors.get("file", [])  # type: ignore[attr-defined]
    return list(errors)


def confirm(client: Client, operation: BulkOperation, *, mode: str = "valid") -> None:
    """Confirm a checked operation."""
    kind = "import" if operation.kind == "import" else "bulk"
    response = client.post(f"/records/{operation.of_object}/{kind}/{operation.uid}/", {"mode": mode})
    assert response.status_code == 302


def run_job(operation: BulkOperation) -> JobRun:
    """Run the job for what is queued for the operation."""
    queued = JobRun.objects.get(unit_key__endswith=str(operation.uid), state=RunState.QUEUED)
    run = execute_run(queued.pk)
    assert run is not None
    operation.refresh_from_db()
    return run


def do_import(
    client: Client, object_name: str, content: str | bytes, *, mode: str = "valid", **options: Any
) -> BulkOperation:
    """Upload a file, confirm the import and run the job."""
    operation = upload(client, object_name, content, **options)
    confirm(client, operation, mode=mode)
    run_job(operation)
    return operation


def start_edit(client: Client, object_name: str, records: Sequence[Any], *, query: str = "", **values: Any) -> Any:
    """Choose records one by one, or all of a list by its query string, and what to set in them; None clears."""
    cleared = [name for name, value in values.items() if value is None]
    chosen: dict[str, Any] = {"uids": [str(record.uid) for record in records]}
    if not records:
        chosen = {"all": "1", "query": query}
    given = {name: value for name, value in values.items() if value is not None}
    data = chosen | {"step": "preview", "change": list(values), "clear": cleared} | given
    return client.post(f"/records/{object_name}/bulk/", data)


def prepare_edit(
    client: Client, object_name: str, records: Sequence[Any], *, query: str = "", **values: Any
) -> BulkOperation:
    """Start an edit and return its operation, which is checked."""
    response = start_edit(client, object_name, records, query=query, **values)
    assert response.status_code == 302, response.context["form"].errors
    return BulkOperation.objects.get(uid=response.url.split("/")[-2])


def do_edit(
    client: Client, object_name: str, records: Sequence[Any], *, query: str = "", **values: Any
) -> BulkOperation:
    """Start an edit, confirm it and run the job."""
    operation = prepare_edit(client, object_name, records, query=query, **values)
    confirm(client, operation)
    run_job(operation)
    return operation


def list_problems(operation: BulkOperation) -> Problems:
    """Return line or number, field and message of each problem."""
    return list(operation.problems.values_list("position", "field_label", "message"))


def list_sources(uid: UUID) -> list[tuple[str, str, str]]:
    """Return source, reference and author of each audit entry of a record."""
    entries = AuditEntry.objects.filter(record_uid=uid).order_by("id")
    return list(entries.values_list("source", "reference", "actor__username"))
