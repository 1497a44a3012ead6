"""Calls of the SOAP API that write. Each takes up to 200 records and answers with a result for each."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from crm_sync.sandbox.api import collections
from crm_sync.sandbox.api.records import check_writable
from crm_sync.sandbox.api.soap_envelope import SoapCall
from crm_sync.sandbox.api.soap_records import explain_values, find_type, read_sobjects
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.recycle_bin import purge_record, undelete_record
from crm_sync.sandbox.data.visibility import list_hidden
from crm_sync.sandbox.data.writes import as_results, roll_back_if_needed
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse, Handler

Results = list[dict[str, Any]]
Action = Callable[[str], None]


class RolledBackError(Exception):
    """One record was refused, and with it all others of a call that asked for all or none."""


def is_all_or_none(call: SoapCall) -> bool:
    """Whether a refused record refuses all others of the call."""
    return call.read_flag("AllOrNoneHeader", "allOrNone")


def shape_results(results: Iterable[Mapping[str, Any]]) -> Results:
    """Return results of the REST API as those of the SOAP API."""
    shaped = []
    for result in results:
        created = {"created": result["created"]} if "created" in result else {}
        errors = [{key: error[key] for key in ("fields", "message", "statusCode")} for error in result["errors"]]
        shaped.append({**created, "errors": errors, "id": result.get("id"), "success": result["success"]})
    return shaped


def write_records(request: ApiRequest, call: SoapCall, handler: Handler, **names: str) -> Results:
    """Write the records of a call by a handler of the REST API for collections, and return their results.

    Raises ApiError.
    """
    schema = request.organisation.schema
    records = read_sobjects(schema, call.list_elements("sObjects"))
    if not records:
        return []
    body = {"records": records, "allOrNone": is_all_or_none(call)}
    inner = request.derive(method="POST", path="", query={}, body=body, version=request.version)
    with explain_values(schema, records):
        return shape_results(handler(inner, **names).body)


def create(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `create`."""
    return write_records(request, call, collections.create_collection)


def update(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `update`."""
    return write_records(request, call, collections.update_collection)


def upsert(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `upsert`, by an external id or by `Id`."""
    elements = call.list_elements("sObjects")
    if not elements:
        return []
    key = call.read_text("externalIDFieldName")
    [first] = read_sobjects(request.organisation.schema, elements[:1])
    sobject = find_type(request.organisation.schema, first["attributes"]["type"])
    field = sobject.find_field(key)
    if field is None or not (field.external_id or field.type == "id"):
        raise ApiError(
            "INVALID_FIELD",
            f"Field name provided, {key} does not match an External ID, Salesforce Id, or indexed field for "
            f"{sobject.name}",
        )
    if field.type == "id":
        return write_records(request, call, upsert_by_id)
    return write_records(request, call, collections.upsert_collection, name=sobject.name, key=field.name)


def upsert_by_id(request: ApiRequest) -> ApiResponse:
    """Update the records of a request that have an id and create the others, with one result for each."""
    records, all_or_none = collections.read_records(request)
    seen: set[str] = set()
    rows: list[PlannedRow] = []
    for record in records:
        if any(name.lower() == "id" for name in record):
            rows.append(collections.read_update(request, record, seen=seen))
            continue
        sobject = collections.find_type(request, record)
        check_writable(sobject)
        row = read_record(sobject, record)
        row.created = True
        rows.append(row)
    collections.refuse_many_chunks(rows)
    collections.write_collection(request, rows, sent=records, all_or_none=all_or_none)
    return ApiResponse(as_results(rows, upsert=True))


def delete(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `delete`."""
    given = call.list_texts("ids")
    return shape_results(collections.delete_ids(request, given, all_or_none=is_all_or_none(call)).body)


# -- the recycle bin ----------------------------------------------------------------------------------


def undelete(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `undelete`."""

    def act(identifier: str) -> None:
        undelete_record(request.organisation, record_id=identifier, user_id=request.user_id)

    missing = ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin", [])
    rows = act_on_deleted(request, call, act=act, missing=missing, all_or_none=is_all_or_none(call))
    request.note_written(rows, sent=[{"IsDeleted": False}] * len(rows))
    return shape_results(as_results(rows, upsert=False))


def empty_recycle_bin(request: ApiRequest, call: SoapCall) -> Results:
    """Answer `emptyRecycleBin`, which purges the records that it names."""

    def act(identifier: str) -> None:
        purge_record(request.organisation, record_id=identifier)

    missing = ApiError("DELETE_FAILED", "no recycle bin entry found", [])
    rows = act_on_deleted(request, call, act=act, missing=missing, all_or_none=False)
    request.note_written(rows)
    return shape_results(as_results(rows, upsert=False))


def act_on_deleted(
    request: ApiRequest, call: SoapCall, *, act: Action, missing: ApiError, all_or_none: bool
) -> list[PlannedRow]:
    """Do something to each record of a call that is in the recycle bin; `missing` is the error of hidden ones."""
    given = call.list_texts("ids")
    collections.refuse_too_many(len(given))
    rows = [collections.plan_by_id(request, entry) for entry in given]
    hidden = list_hidden(request.organisation, record_ids=[row.id for row in rows if row.id])
    with suppress(RolledBackError), request.organisation.database.transaction():
        for row in rows:
            row.error = row.error or (missing if row.id in hidden else find_fault(request, row))
            if row.error is None and row.id is not None:
                row.error = try_action(act, row.id)
        refuse_all_if_needed(rows, all_or_none=all_or_none)
    return rows


def refuse_all_if_needed(rows: list[PlannedRow], *, all_or_none: bool) -> None:
    """With `all_or_none` and a refused row, refuse all others. Raises RolledBackError then."""
    if roll_back_if_needed(rows, all_or_none=all_or_none):
        raise RolledBackError


def try_action(act: Action, identifier: str) -> ApiError | None:
    """Do something to a record and return its error, if it is refused."""
    try:
        act(identifier)
    except ApiError as error:
        return error
    return None


def find_fault(request: ApiRequest, row: PlannedRow) -> ApiError | None:
    """Return the error of a row that is to be refused on purpose."""
    return request.row_fault(row) if request.row_fault is not None else None
