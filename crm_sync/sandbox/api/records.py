"""The endpoints of single records below `/sobjects/X`, by id and by external id."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

import json
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime as format_http_date
from typing import Any
from urllib.parse import unquote

from crm_sync.sandbox.data.compounds import write_compound
from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.recent import note_recent
from crm_sync.sandbox.data.records import PlannedRow, read_record, refuse_unknown_column
from crm_sync.sandbox.data.row_checks import find_ids
from crm_sync.sandbox.data.timestamps import parse_datetime, parse_http_date
from crm_sync.sandbox.data.visibility import NOT_HIDDEN, list_hidden
from crm_sync.sandbox.data.writes import delete_rows, write_rows
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import ApiRequest, ApiResponse

UPSERT_BODY_SINCE = 46


def read_id(value: str, *, sobject: SObject) -> str:
    """Return the 18-character form of an id in an address. Raises ApiError `NOT_FOUND` if it is no id of the object."""
    identifier = normalise_id(value)
    if identifier is None:
        raise ApiError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {value}")
    if not identifier.startswith(sobject.key_prefix):
        raise not_found()
    return identifier


def list_wanted_fields(sobject: SObject, names: str | None) -> list[Field]:
    """Return the fields of `?fields=a,b`, or all. Raises ApiError `INVALID_FIELD`."""
    if not names:
        return list(sobject.readable_fields)
    wanted = []
    for name in names.split(","):
        entry = sobject.find_field(name.strip()) or sobject.find_compound(name.strip())
        if entry is None:
            raise refuse_unknown_column(sobject, name.strip())
        wanted.append(entry)
    return wanted


def fetch_records(
    request: ApiRequest, sobject: SObject, *, identifiers: list[str], fields: list[Field]
) -> dict[str, dict[str, Any]]:
    """Return the records with these ids that are neither deleted nor hidden, by id. Takes one statement."""
    live = f'AND "Id" {NOT_HIDDEN}' + (' AND "IsDeleted" = 0' if sobject.find_field("IsDeleted") else "")
    columns = ", ".join(
        write_compound(entry, alias=f'"{sobject.name}"') if entry.components else f'"{entry.name}"' for entry in fields
    )
    rows = request.organisation.database.fetch_all(
        f'SELECT "Id", {columns} FROM "{sobject.name}" WHERE "Id" IN (SELECT value FROM json_each(?)) {live}',
        (json.dumps(identifiers),),
    )
    return {
        row[0]: {
            "attributes": {"type": sobject.name, "url": f"{request.base_path}/sobjects/{sobject.name}/{row[0]}"},
            **{entry.name: show_value(entry, value) for entry, value in zip(fields, row[1:], strict=True)},
        }
        for row in rows
    }


def show_value(field: Field, value: Any) -> Any:
    """Return a stored value as the API sends it."""
    if value is None:
        return None
    if field.components:
        return json.loads(value)
    return bool(value) if field.type == "boolean" else value


def fetch_record(request: ApiRequest, sobject: SObject, *, identifier: str) -> dict[str, Any]:
    """Return one record. Raises ApiError `ENTITY_IS_DELETED` or `NOT_FOUND`."""
    fields = list_wanted_fields(sobject, request.query.get("fields"))
    record = fetch_records(request, sobject, identifiers=[identifier], fields=fields).get(identifier)
    if record is not None:
        return record
    raise refuse_missing(request, sobject, identifier=identifier)


def refuse_missing(request: ApiRequest, sobject: SObject, *, identifier: str) -> ApiError:
    """Return the error for a missing record: `ENTITY_IS_DELETED` if it is in the recycle bin, else `NOT_FOUND`."""
    known = request.organisation.database.fetch_one(
        f'SELECT 1 FROM "{sobject.name}" WHERE "Id" = ? AND "Id" {NOT_HIDDEN}', (identifier,)
    )
    return ApiError("ENTITY_IS_DELETED", "entity is deleted", []) if known else not_found()


def check_writable(sobject: SObject) -> None:
    """Raise ApiError for an object that the API may only read."""
    if not sobject.createable:
        raise ApiError(
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted or updated: {sobject.label}", []
        )


def write_one(request: ApiRequest, row: PlannedRow, *, sent: Mapping[str, Any]) -> None:
    """Write a single row, whose record was `sent` so. Raises its error if it is refused."""
    write_rows(
        request.organisation,
        [row],
        user_id=request.user_id,
        row_fault=request.row_fault,
    )
    request.note_written([row], sent=[sent])
    if row.error is not None:
        if row.error.code == "INVALID_CROSS_REFERENCE_KEY" and row.id and not row.created and not row.values:
            raise not_found()
        raise row.error


def create_record(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer POST /sobjects/X."""
    sobject = request.find_sobject(name)
    check_writable(sobject)
    body = request.read_object_body()
    row = read_record(sobject, body)
    row.created = True
    write_one(request, row, sent=body)
    return answer_created(request, row)


def answer_created(request: ApiRequest, row: PlannedRow) -> ApiResponse:
    """Return the answer to a creation."""
    location = f"{request.base_path}/sobjects/{row.sobject.name}/{row.id}"
    return ApiResponse({"id": row.id, "success": True, "errors": []}, 201, {"Location": location})


def retrieve_record(request: ApiRequest, *, name: str, record_id: str) -> ApiResponse:
    """Answer GET /sobjects/X/id."""
    sobject = request.find_sobject(name)
    identifier = read_id(unquote(record_id), sobject=sobject)
    record = fetch_record(request, sobject, identifier=identifier)
    note_recent(request.organisation, user_id=request.user_id, record_ids=[identifier])
    changed = read_changed(request, sobject, identifier=identifier)
    return ApiResponse(record, headers={"Last-Modified": format_http_date(changed, usegmt=True)} if changed else {})


def read_changed(request: ApiRequest, sobject: SObject, *, identifier: str) -> datetime | None:
    """Return when a record was last changed; None for objects that do not say."""
    if sobject.find_field("SystemModstamp") is None:
        return None
    row = request.organisation.database.fetch_one(
        f'SELECT "SystemModstamp" FROM "{sobject.name}" WHERE "Id" = ?', (identifier,)
    )
    return parse_datetime(row[0]) if row and row[0] else None


def update_record(request: ApiRequest, *, name: str, record_id: str) -> ApiResponse:
    """Answer PATCH /sobjects/X/id."""
    sobject = request.find_sobject(name)
    check_writable(sobject)
    identifier = read_id(unquote(record_id), sobject=sobject)
    body = request.read_object_body()
    if any(key.lower() == "id" for key in body):
        raise ApiError("INVALID_FIELD", "The Id field should not be specified in the sobject data.")
    row = read_record(sobject, body)
    row.id = identifier
    check_present(request, sobject, identifier=identifier)
    write_one(request, row, sent=body)
    return ApiResponse(status=204)


def check_present(request: ApiRequest, sobject: SObject, *, identifier: str) -> None:
    """Raise ApiError when there is no record with this id, or it is deleted."""
    if not fetch_records(request, sobject, identifiers=[identifier], fields=[sobject.fields[0]]):
        raise refuse_missing(request, sobject, identifier=identifier)
    since = parse_http_date(request.headers.get("if-unmodified-since", ""))
    changed = read_changed(request, sobject, identifier=identifier) if since else None
    if since and changed and changed > since and request.method in {"PATCH", "DELETE"}:
        raise ApiError("PRECONDITION_FAILED", "The record was changed after the time of If-Unmodified-Since")


def delete_record(request: ApiRequest, *, name: str, record_id: str) -> ApiResponse:
    """Answer DELETE /sobjects/X/id."""
    sobject = request.find_sobject(name)
    check_writable(sobject)
    return delete_by_id(request, sobject, identifier=read_id(unquote(record_id), sobject=sobject))


def delete_by_id(request: ApiRequest, sobject: SObject, *, identifier: str) -> ApiResponse:
    """Delete one record. Raises its error if the deletion is refused."""
    check_present(request, sobject, identifier=identifier)
    row = PlannedRow(sobject, {}, id=identifier)
    delete_rows(
        request.organisation,
        [row],
        user_id=request.user_id,
        row_fault=request.row_fault,
    )
    request.note_written([row])
    if row.error is not None:
        raise row.error
    return ApiResponse(status=204)


# -- by external id -----------------------------------------------------------------------------------


def find_key(sobject: SObject, name: str) -> Field:
    """Return the external id field of an address. Raises ApiError `NOT_FOUND`."""
    entry = sobject.find_field(name)
    if entry is None or not (entry.external_id or entry.type == "id"):
        raise ApiError("NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {name}")
    return entry


def match_key(
    request: ApiRequest, sobject: SObject, *, key: Field, value: str, include_hidden: bool = False
) -> list[str]:
    """Return the ids of the records that are not deleted and have this external id."""
    if key.type == "id":
        identifier = read_id(value, sobject=sobject)
        check_present(request, sobject, identifier=identifier)
        return [identifier]
    found = find_ids(request.organisation, sobject=sobject, field=key, values=[value], include_hidden=include_hidden)
    return next(iter(found.values()), [])


def answer_choices(request: ApiRequest, sobject: SObject, identifiers: list[str]) -> ApiResponse:
    """Return the answer when several records have the same external id: status 300 and their addresses."""
    return ApiResponse([f"{request.base_path}/sobjects/{sobject.name}/{entry}" for entry in identifiers], 300)


def retrieve_by_key(request: ApiRequest, *, name: str, key: str, value: str) -> ApiResponse:
    """Answer GET /sobjects/X/Field/value."""
    sobject = request.find_sobject(name)
    identifiers = match_key(request, sobject, key=find_key(sobject, key), value=unquote(value))
    if len(identifiers) > 1:
        return answer_choices(request, sobject, identifiers)
    if not identifiers:
        raise not_found()
    record = fetch_record(request, sobject, identifier=identifiers[0])
    note_recent(request.organisation, user_id=request.user_id, record_ids=identifiers)
    return ApiResponse(record)


def upsert_by_key(request: ApiRequest, *, name: str, key: str, value: str) -> ApiResponse:
    """Answer PATCH /sobjects/X/Field/value."""
    sobject = request.find_sobject(name)
    check_writable(sobject)
    field = find_key(sobject, key)
    body = request.read_object_body()
    for given in body:
        if given.lower() in {"id", field.name.lower()}:
            raise ApiError("INVALID_FIELD", f"The {given} field should not be specified in the sobject data.")
    identifiers = match_key(request, sobject, key=field, value=unquote(value), include_hidden=True)
    if list_hidden(request.organisation, record_ids=identifiers):
        raise ApiError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", [])
    if len(identifiers) > 1:
        return answer_choices(request, sobject, identifiers)
    row = read_record(sobject, body if identifiers else {**body, field.name: unquote(value)})
    row.id = identifiers[0] if identifiers else None
    row.created = not identifiers
    write_one(request, row, sent=body)
    answer: dict[str, Any] = {"id": row.id, "success": True, "errors": []}
    if request.version >= UPSERT_BODY_SINCE:
        return ApiResponse({**answer, "created": row.created}, 201 if row.created else 200)
    return ApiResponse(answer, 201) if row.created else ApiResponse(status=204)


def delete_by_key(request: ApiRequest, *, name: str, key: str, value: str) -> ApiResponse:
    """Answer DELETE /sobjects/X/Field/value."""
    sobject = request.find_sobject(name)
    check_writable(sobject)
    identifiers = match_key(request, sobject, key=find_key(sobject, key), value=unquote(value))
    if len(identifiers) > 1:
        return answer_choices(request, sobject, identifiers)
    if not identifiers:
        raise not_found()
    return delete_by_id(request, sobject, identifier=identifiers[0])


def create_by_id_key(request: ApiRequest, *, name: str, key: str) -> ApiResponse:
    """Answer POST /sobjects/X/Id: create a record. Some clients create through this upsert address."""
    sobject = request.find_sobject(name)
    if find_key(sobject, key).type != "id":
        raise ApiError("METHOD_NOT_ALLOWED", "HTTP Method 'POST' not allowed. Allowed are GET,PATCH,DELETE")
    return create_record(request, name=name)
