"""Several requests in one: ``/composite`` (which may refer to each other's answers), ``/composite/batch``, trees."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.records import PlannedRow, read_record
from crm_sync.sandbox.schema import SObject, list_references_to
from crm_sync.sandbox.service import FIRST_ERROR_STATUS, NEWEST_VERSION, OLDEST_VERSION, ApiRequest, ApiResponse, Routes
from crm_sync.sandbox.writes import write_rows

MAX_SUBREQUESTS = 25
MAX_TREE_RECORDS = 200
REFERENCE = re.compile(r"@\{([A-Za-z_]\w*)((?:\.\w+|\[\d+\])*)\}")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
ADDRESS = re.compile(r"(?:/services/data)?/?v(\d+)\.0(/.*)?", re.IGNORECASE)
HALTED = ApiError(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)


class RolledBackError(Exception):
    """Undoes a composite request that wants all or none."""


def resolve_references(value: Any, answers: Mapping[str, Any]) -> Any:
    """Return ``value`` with every ``@{name.path}`` replaced from earlier answers. Raises ApiError for unknown ones."""
    if isinstance(value, dict):
        return {key: resolve_references(entry, answers) for key, entry in value.items()}
    if isinstance(value, list):
        return [resolve_references(entry, answers) for entry in value]
    if not isinstance(value, str):
        return value
    whole = REFERENCE.fullmatch(value)
    if whole:
        return follow_reference(whole, answers)
    return REFERENCE.sub(lambda match: str(follow_reference(match, answers)), value)


def follow_reference(match: re.Match[str], answers: Mapping[str, Any]) -> Any:
    """Return what one reference points at."""
    name, path = match.groups()
    try:
        current: Any = answers[name]
        for key, index in STEP.findall(path):
            current = current[key] if key else current[int(index)]
    except (KeyError, IndexError, TypeError):
        raise ApiError(
            "PROCESSING_HALTED", f"Invalid reference specified. No value for {match.group(0)[2:-1]} found in {name}"
        ) from None
    return current


def run_subrequest(request: ApiRequest, routes: Routes, *, method: str, url: str, body: Any) -> ApiResponse:
    """Answer one inner request; errors become answers."""
    parts = urlsplit(url)
    match = ADDRESS.fullmatch(parts.path)
    if match is None or not OLDEST_VERSION <= int(match.group(1)) <= NEWEST_VERSION:
        error = ApiError("NOT_FOUND", "The requested resource does not exist")
        return ApiResponse(error.as_body(), error.status)
    inner = request.derive(
        method=method.upper(),
        path=match.group(2) or "/",
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        body=body,
        version=int(match.group(1)),
    )
    try:
        return routes.dispatch(inner)
    except ApiError as error:
        return ApiResponse(error.as_body(), error.status)


def run_composite(request: ApiRequest, *, routes: Routes) -> ApiResponse:
    """POST /composite."""
    body = request.read_object_body()
    subrequests = body.get("compositeRequest")
    if not isinstance(subrequests, list) or not subrequests:
        raise ApiError("JSON_PARSER_ERROR", "The property 'compositeRequest' is missing from the request body.")
    if len(subrequests) > MAX_SUBREQUESTS:
        raise ApiError("LIMIT_EXCEEDED", f"The maximum number of subrequests is {MAX_SUBREQUESTS}.")
    all_or_none = body.get("allOrNone") is True
    results: list[dict[str, Any]] = []
    try:
        with request.organisation.database.transaction():
            run_in_order(request, subrequests, routes=routes, results=results, all_or_none=all_or_none)
    except RolledBackError:
        for result in results:
            if result["httpStatusCode"] < FIRST_ERROR_STATUS:
                result.update(body=HALTED.as_body(), httpHeaders={}, httpStatusCode=400)
    return ApiResponse({"compositeResponse": results})


def run_in_order(
    request: ApiRequest,
    subrequests: list[Any],
    *,
    routes: Routes,
    results: list[dict[str, Any]],
    all_or_none: bool,
) -> None:
    """Answer inner requests one after the other; raises RolledBackError when one fails and all or none is wanted."""
    answers: dict[str, Any] = {}
    failed = False
    for index, entry in enumerate(subrequests):
        if not isinstance(entry, dict) or not {"method", "url", "referenceId"} <= entry.keys():
            raise ApiError("JSON_PARSER_ERROR", f"compositeRequest[{index}] needs method, url and referenceId.")
        reference = str(entry["referenceId"])
        if failed and all_or_none:
            response = ApiResponse(HALTED.as_body(), 400)
        else:
            try:
                url = str(resolve_references(entry["url"], answers))
                inner_body = resolve_references(entry.get("body"), answers)
                with request.organisation.database.transaction():
                    response = run_subrequest(request, routes, method=str(entry["method"]), url=url, body=inner_body)
            except ApiError as error:
                response = ApiResponse(error.as_body(), 400)
        if response.succeeded:
            answers[reference] = response.body
        failed = failed or not response.succeeded
        results.append(
            {
                "body": response.body,
                "httpHeaders": response.headers,
                "httpStatusCode": response.status,
                "referenceId": reference,
            }
        )
    if failed and all_or_none:
        raise RolledBackError


def run_batch(request: ApiRequest, *, routes: Routes) -> ApiResponse:
    """POST /composite/batch."""
    body = request.read_object_body()
    subrequests = body.get("batchRequests")
    if not isinstance(subrequests, list) or not subrequests:
        raise ApiError("JSON_PARSER_ERROR", "The property 'batchRequests' is missing from the request body.")
    if len(subrequests) > MAX_SUBREQUESTS:
        raise ApiError("LIMIT_EXCEEDED", f"The maximum number of batch requests is {MAX_SUBREQUESTS}.")
    halt = body.get("haltOnError") is True
    results: list[dict[str, Any]] = []
    failed = False
    for index, entry in enumerate(subrequests):
        if not isinstance(entry, dict) or not {"method", "url"} <= entry.keys():
            raise ApiError("JSON_PARSER_ERROR", f"batchRequests[{index}] needs method and url.")
        if failed and halt:
            error = ApiError("BATCH_PROCESSING_HALTED", "Batch processing halted per request")
            results.append({"statusCode": 412, "result": error.as_body()})
            continue
        response = run_subrequest(
            request,
            routes,
            method=str(entry["method"]),
            url=f"/{str(entry['url']).lstrip('/')}",
            body=entry.get("richInput"),
        )
        failed = failed or not response.succeeded
        results.append({"statusCode": response.status, "result": response.body})
    return ApiResponse({"hasErrors": failed, "results": results})


# -- trees --------------------------------------------------------------------------------------------


def create_tree(request: ApiRequest, *, name: str) -> ApiResponse:
    """POST /composite/tree/X: records with their children, all or none."""
    sobject = request.find_sobject(name)
    records = request.read_object_body().get("records")
    if not isinstance(records, list) or not records:
        raise ApiError("JSON_PARSER_ERROR", "The property 'records' is missing from the request body.")
    results: list[dict[str, Any]] = []
    try:
        with request.organisation.database.transaction():
            create_branch(request, sobject, records, parent=None, results=results)
    except RolledBackError:
        return ApiResponse({"hasErrors": True, "results": [entry for entry in results if "errors" in entry]}, 400)
    return ApiResponse({"hasErrors": False, "results": results}, 201)


def create_branch(
    request: ApiRequest,
    sobject: SObject,
    records: list[Any],
    *,
    parent: tuple[str, str] | None,
    results: list[dict[str, Any]],
) -> None:
    """Create records of one object under one parent, then the children of each."""
    if len(results) + len(records) > MAX_TREE_RECORDS:
        raise ApiError("LIMIT_EXCEEDED", f"A tree may hold at most {MAX_TREE_RECORDS} records.")
    relationships = {field.child_relationship.lower(): (child, field) for child, field in list_references_to(sobject)}
    for record in records:
        nested = {key: value for key, value in record.items() if key.lower() in relationships}
        own = {key: value for key, value in record.items() if key not in nested}
        reference = (own.get("attributes") or {}).get("referenceId")
        if not reference:
            raise ApiError("INVALID_INPUT", "Include a reference ID for each record in the request.")
        row: PlannedRow = read_record(sobject, {**own, **dict([parent] if parent else [])})
        row.created = True
        write_rows(request.organisation, [row], user_id=request.user_id)
        if row.error is not None:
            results.append({"referenceId": reference, "errors": [row.error.as_row()]})
            raise RolledBackError
        results.append({"referenceId": reference, "id": row.id})
        for key, value in nested.items():
            child, field = relationships[key.lower()]
            create_branch(request, child, value.get("records", []), parent=(field.name, str(row.id)), results=results)
