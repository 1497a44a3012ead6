"""The Tooling API, as far as the schema answers it: queries of `EntityDefinition` and `FieldDefinition`.

Source: the Tooling API guide, and "SOQL Limitations" of the two objects. Nothing can be written.
"""

from typing import Any

from crm_sync.sandbox.api.describe import describe_global, describe_object
from crm_sync.sandbox.api.resources import read_locator
from crm_sync.sandbox.data.catalogue import CATALOGUE, FIELD, fill_catalogue
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import ApiRequest, ApiResponse
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.answers import QueryRunner
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.translate import is_aggregate_query, is_bare_count

# What a query of fields must say which it is about, by the names that its conditions may use.
FIELD_FILTERS = frozenset({"entitydefinitionid", "durableid", "entitydefinition.qualifiedapiname"})


def list_resources(request: ApiRequest) -> ApiResponse:
    """Answer GET /tooling with the addresses below it."""
    return ApiResponse({name: f"{request.base_path}/tooling/{name}" for name in ("query", "sobjects")})


def make_runner(request: ApiRequest) -> QueryRunner:
    """Return a runner of queries of the catalogue."""
    fill_catalogue(request.organisation)
    return QueryRunner(
        request.organisation, request.service.cursors, f"{request.base_path}/tooling", request.user_id, CATALOGUE
    )


def run_query(request: ApiRequest) -> ApiResponse:
    """Answer GET /tooling/query?q=. Raises ApiError for queries that the catalogue does not take."""
    text = request.query.get("q")
    if not text:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified: ?q=SELECT …")
    check_query(parse_query(text))
    return ApiResponse(
        make_runner(request).run(text, include_deleted=False, batch_size=request.batch_size, faults=request.page_faults)
    )


def query_more(request: ApiRequest, *, locator: str) -> ApiResponse:
    """Answer GET /tooling/query/<locator>-<offset>."""
    identifier, start = read_locator(locator)
    return ApiResponse(make_runner(request).run_more(identifier, start=start, page_size=request.effect.page_size))


def check_query(query: tree.Query) -> None:
    """Raise ApiError for a query of groups, and for one of fields that does not say of which object."""
    if CATALOGUE.find(query.source) is None:
        return
    if is_aggregate_query(query) and not is_bare_count(query):
        raise ApiError("MALFORMED_QUERY", f"{query.source}: GROUP BY and aggregate functions are not supported")
    if CATALOGUE.find(query.source) is CATALOGUE[FIELD.name] and not list_filtered(query.where) & FIELD_FILTERS:
        raise ApiError(
            "MALFORMED_QUERY",
            f"{FIELD.name}: a filter on a reified column is required [EntityDefinitionId,DurableId]",
        )


def list_filtered(condition: tree.Condition | None) -> set[str]:
    """Return the fields, in lower case, to which every row of a query must be equal, or one of a list."""
    if isinstance(condition, tree.Junction) and condition.operator == "AND":
        return {name for part in condition.conditions for name in list_filtered(part)}
    is_exact = (isinstance(condition, tree.Comparison) and condition.operator == "=") or (
        isinstance(condition, tree.Membership) and not condition.negated
    )
    if not is_exact or not isinstance(condition, tree.Comparison | tree.Membership):
        return set()
    return {condition.operand.text.lower()} if isinstance(condition.operand, tree.Path) else set()


def list_objects(request: ApiRequest) -> ApiResponse:
    """Answer GET /tooling/sobjects."""
    return ApiResponse(describe_global(CATALOGUE, base_path=f"{request.base_path}/tooling"))


def describe(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /tooling/sobjects/X/describe. Raises ApiError `NOT_FOUND`."""
    found = CATALOGUE.find(name)
    if found is None:
        raise not_found()
    described: dict[str, Any] = describe_object(found, base_path=f"{request.base_path}/tooling")
    return ApiResponse(described)
