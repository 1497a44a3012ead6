"""Several requests in one: `/composite` and graphs, whose parts may refer to earlier answers, batches and trees."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.records import PlannedRow, read_record
from crm_sync.sandbox.data.writes import write_rows
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import FIRST_ERROR_STATUS, ApiRequest, ApiResponse, Routes

MAX_SUBREQUESTS = 25
MAX_TREE_RECORDS = 200
PART_KEYS = frozenset({"method", "url", "referenceId"})
MAX_GRAPHS = 75
MAX_NODES = 500
REFERENCE = re.compile(r"@\{([A-Za-z_]\w*)((?:\.\w+|\[\d+\])*)\}")
STEP = re.compile(r"\.(\w+)|\[(\d+)\]")
ADDRESS = re.compile(r"(?:/services/data)?/?v(\d+)\.0(/.*)?", re.IGNORECASE)
HALTED = ApiError(
    "PROCESSING_HALTED",
    "The transaction was rolled back since another operation in the same transaction failed.",
)


class RolledBackError(Exception):
    """Raised to roll back the transaction of a composite request or a tree."""


def resolve_references(value: Any, answers: Mapping[str, Any]) -> Any:
    """Return `value` with every `@{name.path}` replaced from earlier answers. Raises ApiError if one has no value."""
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
    """Return the value that one reference points at. Raises ApiError if there is none."""
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
    """Answer one inner request. An ApiError becomes an answer."""
    parts = urlsplit(url)
    match = ADDRESS.fullmatch(parts.path)
    try:
        if match is None:
            raise not_found()
        request.service.check_version(int(match.group(1)))
        inner = request.derive(
            method=method.upper(),
            path=match.group(2) or "/",
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            body=body,
            version=int(match.group(1)),
        )
        return routes.dispatch(inner)
    except ApiError as error:
        return ApiResponse(error.as_body(), error.status)


def run_composite(request: ApiRequest, *, routes: Routes) -> ApiResponse:
    """Answer POST /composite."""
    body = request.read_object_body()
    subrequests = body.get("compositeRequest")
    if not isinstance(subrequests, list) or not subrequests:
        raise ApiError("JSON_PARSER_ERROR", "The property 'compositeRequest' is missing from the request body.")
    if len(subrequests) > MAX_SUBREQUESTS:
        raise ApiError("LIMIT_EXCEEDED", f"The maximum number of subrequests is {MAX_SUBREQUESTS}.")
    results, _ = run_together(request, subrequests, routes=routes, all_or_none=body.get("allOrNone") is True)
    return ApiResponse({"compositeResponse": results})


def run_together(
    request: ApiRequest, subrequests: list[Any], *, routes: Routes, all_or_none: bool
) -> tuple[list[dict[str, Any]], bool]:
    """Answer inner requests in one transaction. Return their answers, and whether it was kept."""
    results: list[dict[str, Any]] = []
    written_before = len(request.written)
    try:
        with request.organisation.database.transaction():
            run_in_order(request, subrequests, routes=routes, results=results, all_or_none=all_or_none)
    except RolledBackError:
        del request.written[written_before:]
        for result in results:
            if result["httpStatusCode"] < FIRST_ERROR_STATUS:
                result.update(body=HALTED.as_body(), httpHeaders={}, httpStatusCode=400)
        return results, False
    return results, True


def run_in_order(
    request: ApiRequest,
    subrequests: list[Any],
    *,
    routes: Routes,
    results: list[dict[str, Any]],
    all_or_none: bool,
) -> None:
    """Answer inner requests in order into `results`. Raises RolledBackError if one fails with `all_or_none`."""
    answers: dict[str, Any] = {}
    failed = False
    for index, entry in enumerate(subrequests):
        if not isinstance(entry, dict) or not entry.keys() >= PART_KEYS:
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


def run_graphs(request: ApiRequest, *, routes: Routes) -> ApiResponse:
    """Answer POST /composite/graph: each graph is carried out whole or not at all, whatever becomes of the others."""
    graphs = request.read_object_body().get("graphs")
    if not isinstance(graphs, list) or not graphs:
        raise ApiError("JSON_PARSER_ERROR", "The property 'graphs' is missing from the request body.")
    if len(graphs) > MAX_GRAPHS:
        raise ApiError("LIMIT_EXCEEDED", f"The maximum number of graphs is {MAX_GRAPHS}.")
    for index, graph in enumerate(graphs):
        nodes = graph.get("compositeRequest") if isinstance(graph, dict) else None
        if not isinstance(nodes, list) or not nodes or not graph.get("graphId"):
            raise ApiError("JSON_PARSER_ERROR", f"graphs[{index}] needs graphId and compositeRequest.")
        if not all(isinstance(node, dict) and node.keys() >= PART_KEYS for node in nodes):
            raise ApiError("JSON_PARSER_ERROR", f"Each node of graphs[{index}] needs method, url and referenceId.")
    if sum(len(graph["compositeRequest"]) for graph in graphs) > MAX_NODES:
        raise ApiError("LIMIT_EXCEEDED", f"The maximum number of nodes is {MAX_NODES}.")
    answers = []
    for graph in graphs:
        results, kept = run_together(request, graph["compositeRequest"], routes=routes, all_or_none=True)
        answers.append(
            {
                "graphId": str(graph["graphId"]),
                "graphResponse": {"compositeResponse": results},
                "isSuccessful": kept,
            }
        )
    return ApiResponse({"graphs": answers})


def run_batch(request: ApiRequest, *, routes: Routes) -> ApiResponse:
    """Answer POST /composite/batch."""
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
    """Answer POST /composite/tree/X: create records with their children, all or none."""
    sobject = request.find_sobject(name)
    records = request.read_object_body().get("records")
    if not isinstance(records, list) or not records:
        raise ApiError("JSON_PARSER_ERROR", "The property 'records' is missing from the request body.")
    results: list[dict[str, Any]] = []
    written_before = len(request.written)
    try:
        with request.organisation.database.transaction():
            create_branch(request, sobject, records, parent=None, results=results)
    except RolledBackError:
        del request.written[written_before:]
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
    """Create records of one object, each followed by its children, and append to `results`.

    `parent` is the reference field and the id of the parent. Raises RolledBackError when a record is refused.
    """
    if len(results) + len(records) > MAX_TREE_RECORDS:
        raise ApiError("LIMIT_EXCEEDED", f"A tree may hold at most {MAX_TREE_RECORDS} records.")
    relationships = {
        field.child_relationship.lower(): (child, field) for child, field in sobject.schema.list_references_to(sobject)
    }
    for record in records:
        nested = {key: value for key, value in record.items() if key.lower() in relationships}
        own = {key: value for key, value in record.items() if key not in nested}
        reference = (own.get("attributes") or {}).get("referenceId")
        if not reference:
            raise ApiError("INVALID_INPUT", "Include a reference ID for each record in the request.")
        row: PlannedRow = read_record(sobject, {**own, **dict([parent] if parent else [])})
        row.created = True
        write_rows(request.organisation, [row], user_id=request.user_id)
        request.note_written([row], sent=[own])
        if row.error is not None:
            results.append({"referenceId": reference, "errors": [row.error.as_row()]})
            raise RolledBackError
        results.append({"referenceId": reference, "id": row.id})
        for key, value in nested.items():
            child, field = relationships[key.lower()]
            create_branch(request, child, value.get("records", []), parent=(field.name, str(row.id)), results=results)
