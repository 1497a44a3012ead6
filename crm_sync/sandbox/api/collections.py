"""The endpoints below /composite/sobjects: up to 200 records in one request, each with its own result."""

from collections.abc import Mapping, Sequence
from typing import Any

from crm_sync.sandbox.api.records import check_writable, fetch_records, list_wanted_fields
from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.writes import as_results, delete_rows, write_rows
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse

MAX_RECORDS = 200
MAX_RETRIEVED = 2_000
MAX_CHUNKS = 10


def read_records(request: ApiRequest) -> tuple[list[Mapping[str, Any]], bool]:
    """Return the body's records and its `allOrNone`. Raises ApiError for a body of another form."""
    body = request.read_object_body()
    records = body.get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ApiError(
            "JSON_PARSER_ERROR",
            "Cannot deserialize instance of list of sobjects: 'records' must be an array of objects",
        )
    if not records:
        raise ApiError("INVALID_INPUT", "The request must contain at least one record")
    refuse_too_many(len(records))
    return records, body.get("allOrNone") is True


def refuse_too_many(count: int) -> None:
    """Raise ApiError when a request holds more records than a collection may."""
    if count > MAX_RECORDS:
        raise ApiError(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MAX_RECORDS} records into this call",
        )


def find_type(request: ApiRequest, record: Mapping[str, Any], *, default: SObject | None = None) -> SObject:
    """Return the object that a record's attributes name, or `default`. Raises ApiError when neither exists."""
    attributes = record.get("attributes")
    name = attributes.get("type") if isinstance(attributes, dict) else None
    if name is None:
        if default is not None:
            return default
        raise ApiError("INVALID_INPUT", "Include a 'type' value in the 'attributes' of each record.")
    sobject = request.organisation.schema.find(str(name))
    if sobject is None:
        raise ApiError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
    return sobject


def refuse_many_chunks(rows: Sequence[PlannedRow]) -> None:
    """Raise ApiError when the records change from one object to another more than ten times."""
    chunks = sum(
        1 for before, row in zip([None, *rows], rows, strict=False) if not before or before.sobject is not row.sobject
    )
    if chunks > MAX_CHUNKS:
        raise ApiError("LIMIT_EXCEEDED", f"Cannot have more than {MAX_CHUNKS} chunks in a single operation")


def write_collection(
    request: ApiRequest,
    rows: list[PlannedRow],
    *,
    sent: Sequence[Mapping[str, Any]],
    all_or_none: bool,
    key: Any = None,
) -> ApiResponse:
    """Write planned rows, whose records were `sent` so, and return the answer with their results.

    `key` is the external id field of an upsert.
    """
    write_rows(
        request.organisation,
        rows,
        user_id=request.user_id,
        key=key,
        all_or_none=all_or_none,
        row_fault=request.row_fault,
    )
    request.note_written(rows, sent=sent)
    return ApiResponse(as_results(rows, upsert=key is not None))


def create_collection(request: ApiRequest) -> ApiResponse:
    """Answer POST /composite/sobjects."""
    records, all_or_none = read_records(request)
    rows = []
    for record in records:
        sobject = find_type(request, record)
        check_writable(sobject)
        row = read_record(sobject, record)
        row.created = True
        rows.append(row)
    refuse_many_chunks(rows)
    return write_collection(request, rows, sent=records, all_or_none=all_or_none)


def update_collection(request: ApiRequest) -> ApiResponse:
    """Answer PATCH /composite/sobjects."""
    records, all_or_none = read_records(request)
    seen: set[str] = set()
    rows = [read_update(request, record, seen=seen) for record in records]
    refuse_many_chunks(rows)
    return write_collection(request, rows, sent=records, all_or_none=all_or_none)


def read_update(request: ApiRequest, record: Mapping[str, Any], *, seen: set[str]) -> PlannedRow:
    """Return the planned row of a record that is updated by its id. `seen` are the ids before it, which it joins.

    Raises ApiError for a fault that refuses the whole request.
    """
    sobject = find_type(request, record)
    check_writable(sobject)
    row = read_record(sobject, record, allow_id=True)
    given = next((value for key, value in record.items() if key.lower() == "id"), None)
    row.id = normalise_id(given) if isinstance(given, str) else None
    if given is None:
        row.refuse("MISSING_ARGUMENT", "Id not specified in an update call", ["Id"])
    elif row.id is None:
        row.refuse("MALFORMED_ID", f"Record ID: id value of incorrect type: {given}", ["Id"])
    elif not row.id.startswith(sobject.key_prefix):
        row.refuse("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    elif row.id in seen:
        row.refuse("INVALID_INPUT", f"Duplicate ID specified: {given}", ["Id"])
    seen.add(row.id or "")
    return row


def upsert_collection(request: ApiRequest, *, name: str, key: str) -> ApiResponse:
    """Answer PATCH /composite/sobjects/X/Field."""
    sobject = request.organisation.schema.find(name)
    if sobject is None:
        raise ApiError("NOT_FOUND", "The requested resource does not exist")
    check_writable(sobject)
    field = sobject.find_field(key)
    if field is None or not field.external_id:
        raise ApiError(
            "INVALID_FIELD" if field is None else "INVALID_INPUT",
            f"Provided external ID field does not exist or is not accessible: {key}",
        )
    records, all_or_none = read_records(request)
    for record in records:
        if find_type(request, record, default=sobject) is not sobject:
            raise ApiError("INVALID_INPUT", f"All records must be of the type {sobject.name} named in the address.")
    rows = [read_record(sobject, record, key=field) for record in records]
    return write_collection(request, rows, sent=records, all_or_none=all_or_none, key=field)


def delete_collection(request: ApiRequest) -> ApiResponse:
    """Answer DELETE /composite/sobjects?ids=."""
    given = [entry.strip() for entry in request.query.get("ids", "").split(",") if entry.strip()]
    if not given:
        raise ApiError("INVALID_INPUT", "The ids parameter is required: ids=id1,id2")
    return delete_ids(request, given, all_or_none=request.query.get("allOrNone", "false").lower() == "true")


def delete_ids(request: ApiRequest, given: Sequence[str], *, all_or_none: bool) -> ApiResponse:
    """Delete the records with these ids and return the answer with their results."""
    refuse_too_many(len(given))
    rows = [plan_by_id(request, entry) for entry in given]
    delete_rows(
        request.organisation,
        rows,
        user_id=request.user_id,
        all_or_none=all_or_none,
        row_fault=request.row_fault,
    )
    request.note_written(rows)
    return ApiResponse(as_results(rows, upsert=False))


def plan_by_id(request: ApiRequest, given: str) -> PlannedRow:
    """Return the planned row of a record that only its id names; it is refused when that is no id of a record."""
    identifier = normalise_id(given)
    sobject = request.organisation.schema.find_by_id(given)
    if identifier is not None and sobject is not None and sobject.deletable:
        return PlannedRow(sobject, {}, id=identifier)
    row = PlannedRow(request.organisation.schema.objects[0], {})
    row.refuse("MALFORMED_ID", f"malformed id {given}")
    return row


def retrieve_collection(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /composite/sobjects/X?ids=&fields=, and POST with both in the body. Unknown ids give null."""
    sobject = request.find_sobject(name)
    if request.method == "POST":
        body = request.read_object_body()
        given, names = body.get("ids"), body.get("fields")
        if not isinstance(given, list) or not isinstance(names, list):
            raise ApiError("INVALID_INPUT", "The body needs 'ids' and 'fields', both arrays.")
        most = MAX_RETRIEVED
    else:
        given = [entry for entry in request.query.get("ids", "").split(",") if entry]
        names = [entry for entry in request.query.get("fields", "").split(",") if entry]
        most = 800
    if not names:
        raise ApiError("INVALID_INPUT", "The fields parameter is required: fields=Id,Name")
    if len(given) > most:
        raise ApiError(
            "EXCEEDED_ID_LIMIT", f"record limit reached. cannot submit more than {most} records into this call"
        )
    fields = list_wanted_fields(sobject, ",".join(map(str, names)))
    identifiers = [normalise_id(str(entry)) for entry in given]
    found = fetch_records(request, sobject, identifiers=[entry for entry in identifiers if entry], fields=fields)
    return ApiResponse([found.get(entry or "") for entry in identifiers])
