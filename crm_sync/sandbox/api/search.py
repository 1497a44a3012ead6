"""The endpoints of searches: `/search` with SOSL, and `/parameterizedSearch`."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from collections.abc import Mapping
from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse
from crm_sync.sandbox.soql.sosl import Matcher, Search, Target, compile_words, parse_search

MAX_FOUND = 2_000
# Since this version the records are in an object, before it in an array.
BODY_SINCE = 37
SEARCHED_TYPES = frozenset({"string", "textarea", "email", "phone", "url"})
NAMES = frozenset({"firstname", "lastname"})


def search(request: ApiRequest) -> ApiResponse:
    """Answer GET /search?q=FIND {…}."""
    text = request.query.get("q", "")
    if not text.strip():
        raise ApiError("MALFORMED_SEARCH", "A search string has to be specified: ?q=FIND {…}")
    return answer_search(request, parse_search(text))


def search_by_parameters(request: ApiRequest) -> ApiResponse:
    """Answer GET and POST /parameterizedSearch."""
    given = request.read_object_body() if request.method == "POST" else read_parameters(request.query)
    text = given.get("q")
    if not isinstance(text, str) or not text.strip():
        raise ApiError("MALFORMED_SEARCH", "The parameter q is required.")
    fields, limit = given.get("fields"), given.get("defaultLimit")
    targets = tuple(read_target(each, fields=fields, limit=limit) for each in given.get("sobjects") or [])
    overall = str(given.get("overallLimit") or MAX_FOUND)
    if not overall.isdecimal():
        raise ApiError("MALFORMED_SEARCH", "The parameter overallLimit is a number.")
    return answer_search(request, Search(text, str(given.get("in") or "ALL").upper(), targets, int(overall)))


def read_parameters(query: Mapping[str, str]) -> dict[str, Any]:
    """Return the parameters of an address in the form that a body has: `sobject=Account&Account.fields=Id,Name`."""
    names = [name.strip() for name in query.get("sobject", "").split(",") if name.strip()]
    sobjects = [
        {"name": name, **{key: query[f"{name}.{key}"] for key in TARGET_KEYS if f"{name}.{key}" in query}}
        for name in names
    ]
    return {**query, "sobjects": sobjects}


TARGET_KEYS = ("fields", "where", "orderBy", "limit")


def read_target(given: Any, *, fields: Any, limit: Any) -> Target:
    """Return the object that one entry of `sobjects` names. Raises ApiError when it names none."""
    if not isinstance(given, dict) or not given.get("name"):
        raise ApiError("MALFORMED_SEARCH", "Each entry of sobjects needs the name of an object.")
    wanted = given.get("fields") or fields or "Id"
    clauses = {
        "WHERE": given.get("where"),
        "ORDER BY": given.get("orderBy"),
        "LIMIT": given.get("limit") or limit,
    }
    return Target(
        str(given["name"]),
        ", ".join(wanted) if isinstance(wanted, list) else str(wanted),
        " ".join(f"{word} {value}" for word, value in clauses.items() if value),
    )


def answer_search(request: ApiRequest, wanted: Search) -> ApiResponse:
    """Return the records that a search finds, object by object."""
    matcher = compile_words(wanted.text)
    targets = wanted.targets or tuple(Target(each.name) for each in request.organisation.schema.objects)
    limit = min(MAX_FOUND if wanted.limit is None else wanted.limit, MAX_FOUND)
    records: list[dict[str, Any]] = []
    for target in targets:
        records += find_records(request, target, matcher=matcher, group=wanted.group)
    found = records[:limit]
    return ApiResponse({"searchRecords": found} if request.version >= BODY_SINCE else found)


def find_records(request: ApiRequest, target: Target, *, matcher: Matcher, group: str) -> list[dict[str, Any]]:
    """Return the records of one object that match. Raises ApiError for what SOQL would refuse."""
    sobject = request.organisation.schema.find(target.name)
    if sobject is None:
        raise ApiError("INVALID_TYPE", f"sObject type '{target.name}' is not supported.")
    soql = f"SELECT {target.fields} FROM {sobject.name} {target.clauses}"
    identifiers = list_matching(request, sobject, matcher=matcher, group=group)
    return request.make_runner().run_among(soql, identifiers=identifiers)


def list_matching(request: ApiRequest, sobject: SObject, *, matcher: Matcher, group: str) -> list[str]:
    """Return the ids of the records that match in one of the fields of a group."""
    fields = [field for field in sobject.fields if is_searched(field, group=group)]
    if not fields:
        return []
    live = f'"Id" {NOT_HIDDEN}' + (' AND "IsDeleted" = 0' if sobject.find_field("IsDeleted") else "")
    columns = ", ".join(f'"{field.name}"' for field in fields)
    rows = request.organisation.database.fetch_all(f'SELECT "Id", {columns} FROM "{sobject.name}" WHERE {live}')
    return [row[0] for row in rows if matcher([value for value in row[1:] if value])]


def is_searched(field: Field, *, group: str) -> bool:
    """Whether a search in this group of fields looks at a field. Raises ApiError for a group that does not exist."""
    match group:
        case "ALL":
            return field.type in SEARCHED_TYPES
        case "NAME" | "SIDEBAR":
            return field.name_field or field.name.lower() in NAMES
        case "EMAIL" | "PHONE":
            return field.type == group.lower()
        case _:
            raise ApiError("MALFORMED_SEARCH", f"IN takes ALL, NAME, EMAIL, PHONE or SIDEBAR, not {group}.")
