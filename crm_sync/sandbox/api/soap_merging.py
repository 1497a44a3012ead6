"""The call `merge` of the SOAP API."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from crm_sync.sandbox.api.collections import refuse_too_many
from crm_sync.sandbox.api.soap_envelope import SoapCall, name_of
from crm_sync.sandbox.api.soap_records import explain_values, find_type, read_sobjects
from crm_sync.sandbox.api.soap_writing import find_fault, shape_results
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.merging import merge_accounts
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.values import RowRejectedError
from crm_sync.sandbox.data.writes import as_results
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest

MERGEABLE = "Account"


@dataclass(frozen=True, slots=True)
class PlannedMerge:
    """One request to merge: the rows of the accounts, and the values that the master is to have."""

    master: PlannedRow
    losers: list[PlannedRow]
    values: dict[str, Any]


def merge(request: ApiRequest, call: SoapCall) -> list[dict[str, Any]]:
    """Answer `merge`: a result for each request. The WSDL names them `request`, some clients `mergeRequests`."""
    asked = call.list_elements("request", "mergeRequests")
    refuse_too_many(len(asked))
    # All are read before the first is done, since a fault refuses the whole call.
    planned = [read_merge(request, element) for element in asked]
    return [merge_one(request, each) for each in planned]


def read_merge(request: ApiRequest, element: ET.Element) -> PlannedMerge:
    """Return one request to merge. Raises ApiError for what refuses the whole call."""
    schema = request.organisation.schema
    [record] = read_sobjects(schema, [child for child in element if name_of(child) == "masterRecord"][:1]) or [{}]
    account = find_type(schema, record.get("attributes", {}).get("type", ""))
    if account.name != MERGEABLE:
        raise ApiError("INVALID_TYPE", f"Entity type is not mergeable: {account.name}. The sandbox merges accounts.")
    values = {key: value for key, value in record.items() if key.lower() not in {"id", "attributes"}}
    with explain_values(schema, [record]):
        read_record(account, values)
    given = next((value for key, value in record.items() if key.lower() == "id"), None) or ""
    named = [(child.text or "").strip() for child in element if name_of(child) == "recordToMergeIds"]
    return PlannedMerge(
        PlannedRow(account, {}, id=normalise_id(str(given))),
        [PlannedRow(account, {}, id=normalise_id(entry)) for entry in named],
        values,
    )


def merge_one(request: ApiRequest, planned: PlannedMerge) -> dict[str, Any]:
    """Merge the accounts of one request and return its result."""
    master = planned.master
    moved: list[str] = []
    try:
        moved = merge_rows(request, master, planned.losers, values=planned.values)
    except ApiError as error:
        master.error = error
    request.note_written([master], sent=[planned.values])
    if master.error is None:
        request.note_written(planned.losers)
    [result] = shape_results(as_results([master], upsert=False))
    merged = [row.id for row in planned.losers] if master.error is None else []
    return {
        "errors": result["errors"],
        "id": result["id"],
        "mergedRecordIds": merged,
        "success": result["success"],
        "updatedRelatedIds": moved,
    }


def merge_rows(
    request: ApiRequest, master: PlannedRow, losers: list[PlannedRow], *, values: dict[str, Any]
) -> list[str]:
    """Merge accounts and return the ids of the records that have moved. Raises the error of a refused record."""
    for row in (master, *losers):
        if row.id is None:
            raise RowRejectedError("MALFORMED_ID", "malformed id", ["Id"])
        fault = find_fault(request, row)
        if fault is not None:
            raise fault
    return merge_accounts(
        request.organisation,
        master_id=master.id or "",
        loser_ids=[row.id or "" for row in losers],
        user_id=request.user_id,
        values=values,
        include_hidden=False,
    )
