"""Everything that is neither a record nor a collection: queries, describe, limits, changes in a span of time."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from datetime import datetime, timedelta
from typing import Any

from crm_sync.sandbox.describe import describe_briefly, describe_global, describe_object
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.ids import normalise_id
from crm_sync.sandbox.schema import SObject
from crm_sync.sandbox.service import ApiRequest, ApiResponse
from crm_sync.sandbox.timestamps import format_datetime, parse_datetime

REPLICATION_DAYS = 30


def list_resources(request: ApiRequest) -> ApiResponse:
    """GET the version's root: what there is below it."""
    names = ("composite", "limits", "query", "queryAll", "sobjects")
    identity = f"{request.base_url}/id/{request.organisation.id}/{request.user_id}"
    return ApiResponse({**{name: f"{request.base_path}/{name}" for name in names}, "identity": identity})


def read_limits(request: ApiRequest) -> ApiResponse:
    """GET /limits."""
    usage = request.organisation.usage
    return ApiResponse(
        {
            "DailyApiRequests": {"Max": usage.limit, "Remaining": max(usage.limit - usage.used, 0)},
            "DataStorageMB": {"Max": 1024, "Remaining": 1024},
            "FileStorageMB": {"Max": 1024, "Remaining": 1024},
        }
    )


# -- queries ------------------------------------------------------------------------------------------


def run_query(request: ApiRequest, *, include_deleted: bool) -> ApiResponse:
    """Answer ``?q=``."""
    text = request.query.get("q")
    if not text:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified: ?q=SELECT …")
    return ApiResponse(
        request.make_runner().run(
            text,
            include_deleted=include_deleted,
            batch_size=request.batch_size,
            page_size=request.effect.page_size,
        )
    )


def query(request: ApiRequest) -> ApiResponse:
    """GET /query?q=."""
    return run_query(request, include_deleted=False)


def query_all(request: ApiRequest) -> ApiResponse:
    """GET /queryAll?q=, deleted records included."""
    return run_query(request, include_deleted=True)


def query_more(request: ApiRequest, *, locator: str) -> ApiResponse:
    """GET /query/<locator>-<offset>."""
    name, _, start = locator.partition("-")
    identifier = normalise_id(name)
    if identifier is None or not start.isdecimal():
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return ApiResponse(request.make_runner().run_more(identifier, start=int(start), page_size=request.effect.page_size))


# -- describe -----------------------------------------------------------------------------------------


def list_objects(request: ApiRequest) -> ApiResponse:
    """GET /sobjects."""
    return ApiResponse(describe_global(base_path=request.base_path))


def describe(request: ApiRequest, *, name: str) -> ApiResponse:
    """GET /sobjects/X/describe."""
    return ApiResponse(describe_object(request.find_sobject(name), base_path=request.base_path))


def read_object(request: ApiRequest, *, name: str) -> ApiResponse:
    """GET /sobjects/X: the object in brief, and the records this user saw last (none are remembered)."""
    sobject = request.find_sobject(name)
    return ApiResponse({"objectDescribe": describe_briefly(sobject, base_path=request.base_path), "recentItems": []})


# -- changes ------------------------------------------------------------------------------------------


def read_span(request: ApiRequest) -> tuple[str, str]:
    """Return start and end of the address; seconds are ignored. Raises ApiError for spans the CRM refuses."""
    moments: list[datetime] = []
    for name in ("start", "end"):
        # A plus sign that the client left unescaped arrives as a space.
        moment = parse_datetime(request.query.get(name, "").strip().replace(" ", "+"))
        if moment is None:
            raise ApiError(
                "INVALID_REPLICATION_DATE" if name in request.query else "MISSING_ARGUMENT",
                f"{name}: not a valid date-time",
            )
        moments.append(moment.replace(second=0, microsecond=0))
    start, end = moments
    if start > end:
        raise ApiError("INVALID_REPLICATION_DATE", "startDate cannot be later than endDate")
    if end - start < timedelta(minutes=1):
        raise ApiError("INVALID_REPLICATION_DATE", "endDate must be at least one minute greater than startDate")
    if start < request.organisation.read_clock() - timedelta(days=REPLICATION_DAYS):
        raise ApiError(
            "INVALID_REPLICATION_DATE",
            f"startDate before org replication enabled date or more than {REPLICATION_DAYS} days ago",
        )
    return format_datetime(start), format_datetime(end)


def find_changed(request: ApiRequest, sobject: SObject, *, deleted: bool) -> tuple[list[tuple[Any, ...]], str]:
    """Return (id, stamp) of records changed in the span, and the moment up to which that is the whole truth."""
    start, end = read_span(request)
    rows = request.organisation.database.fetch_all(
        f'SELECT "Id", "LastModifiedDate" FROM "{sobject.name}" WHERE "IsDeleted" = ? '
        'AND "LastModifiedDate" >= ? AND "LastModifiedDate" < ? ORDER BY "LastModifiedDate", "Id"',
        (int(deleted), start, end),
    )
    now = request.organisation.read_clock().replace(second=0, microsecond=0)
    return rows, min(end, format_datetime(now))


def list_deleted(request: ApiRequest, *, name: str) -> ApiResponse:
    """GET /sobjects/X/deleted?start=&end=."""
    rows, covered = find_changed(request, find_replicated(request, name), deleted=True)
    earliest = request.organisation.read_clock() - timedelta(days=REPLICATION_DAYS)
    return ApiResponse(
        {
            "deletedRecords": [{"deletedDate": stamp, "id": identifier} for identifier, stamp in rows],
            "earliestDateAvailable": format_datetime(earliest.replace(second=0)),
            "latestDateCovered": covered,
        }
    )


def list_updated(request: ApiRequest, *, name: str) -> ApiResponse:
    """GET /sobjects/X/updated?start=&end=."""
    rows, covered = find_changed(request, find_replicated(request, name), deleted=False)
    return ApiResponse({"ids": [identifier for identifier, _ in rows], "latestDateCovered": covered})


def find_replicated(request: ApiRequest, name: str) -> SObject:
    """Return an object whose changes can be asked for."""
    sobject = request.find_sobject(name)
    if not sobject.deletable:
        raise ApiError("INVALID_TYPE", f"object type '{sobject.name}' is not replicateable")
    return sobject
