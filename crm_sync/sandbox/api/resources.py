"""The endpoints for queries, descriptions, limits, and changes in a span of time."""

# ruff: noqa: S608  names in SQL come from the schema alone; every value is a parameter

from datetime import datetime, timedelta
from email.utils import format_datetime as format_http_date

from crm_sync.sandbox.api.describe import describe_briefly, describe_global, describe_object
from crm_sync.sandbox.api.query_description import describe_columns, explain_query
from crm_sync.sandbox.api.recent import describe_recent
from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.recycle_bin import list_deletions, read_log_emptied, read_log_start
from crm_sync.sandbox.data.timestamps import format_datetime, parse_datetime
from crm_sync.sandbox.data.visibility import NOT_HIDDEN
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse

# How far back `getUpdated` and the start of a span may go. Deletions are known for a shorter time.
REPLICATION_DAYS = 30
# What an organisation may use besides calls, in the sizes of a Developer Edition. The sandbox does not count it.
UNUSED_LIMITS = {
    "ActiveScratchOrgs": 3,
    "AnalyticsExternalDataSizeMB": 40_960,
    "ConcurrentAsyncGetReportInstances": 200,
    "ConcurrentSyncReportRuns": 20,
    "DailyAsyncApexExecutions": 250_000,
    "DailyBulkApiBatches": 15_000,
    "DailyBulkV2QueryFileStorageMB": 976_562,
    "DailyBulkV2QueryJobs": 10_000,
    "DailyDurableGenericStreamingApiEvents": 10_000,
    "DailyDurableStreamingApiEvents": 10_000,
    "DailyGenericStreamingApiEvents": 10_000,
    "DailyScratchOrgs": 6,
    "DailyStandardVolumePlatformEvents": 10_000,
    "DailyStreamingApiEvents": 10_000,
    "DailyWorkflowEmails": 100,
    "DataStorageMB": 1_024,
    "DurableStreamingApiConcurrentClients": 20,
    "FileStorageMB": 1_024,
    "HourlyAsyncReportRuns": 1_200,
    "HourlyDashboardRefreshes": 200,
    "HourlyDashboardResults": 5_000,
    "HourlyDashboardStatuses": 999_999_999,
    "HourlyODataCallout": 1_000,
    "HourlyPublishedPlatformEvents": 50_000,
    "HourlySyncReportRuns": 500,
    "HourlyTimeBasedWorkflow": 50,
    "MassEmail": 10,
    "Package2VersionCreates": 6,
    "PermissionSets": 1_500,
    "SingleEmail": 15,
    "StreamingApiConcurrentClients": 20,
}


def list_resources(request: ApiRequest) -> ApiResponse:
    """Answer GET on the root of an API version with the addresses below it."""
    names = (
        "compactLayouts",
        "composite",
        "jobs",
        "limits",
        "parameterizedSearch",
        "query",
        "queryAll",
        "recent",
        "search",
        "sobjects",
        "tooling",
    )
    identity = f"{request.base_url}/id/{request.organisation.id}/{request.user_id}"
    return ApiResponse({**{name: f"{request.base_path}/{name}" for name in names}, "identity": identity})


def read_limits(request: ApiRequest) -> ApiResponse:
    """Answer GET /limits."""
    usage = request.organisation.usage
    daily = {"Max": usage.limit, "Remaining": max(usage.limit - usage.used, 0)}
    others = {name: {"Max": most, "Remaining": most} for name, most in UNUSED_LIMITS.items()}
    return ApiResponse(dict(sorted({"DailyApiRequests": daily, **others}.items())))


# -- queries ------------------------------------------------------------------------------------------


def run_query(request: ApiRequest, *, include_deleted: bool) -> ApiResponse:
    """Answer the query in `?q=`, with or without deleted records."""
    if "explain" in request.query:
        return ApiResponse(explain_query(request, request.query["explain"]))
    text = request.query.get("q")
    if text and request.query.get("columns", "").lower() == "true":
        return ApiResponse(describe_columns(request, text))
    if not text:
        raise ApiError("MALFORMED_QUERY", "A query string has to be specified: ?q=SELECT …")
    return ApiResponse(
        request.make_runner().run(
            text,
            include_deleted=include_deleted,
            batch_size=request.batch_size,
            faults=request.page_faults,
        )
    )


def query(request: ApiRequest) -> ApiResponse:
    """Answer GET /query?q=."""
    return run_query(request, include_deleted=False)


def query_all(request: ApiRequest) -> ApiResponse:
    """Answer GET /queryAll?q=, deleted records included."""
    return run_query(request, include_deleted=True)


def query_more(request: ApiRequest, *, locator: str) -> ApiResponse:
    """Answer GET /query/<locator>-<offset>."""
    identifier, start = read_locator(locator)
    return ApiResponse(request.make_runner().run_more(identifier, start=start, page_size=request.effect.page_size))


def read_locator(locator: str) -> tuple[str, int]:
    """Return the cursor and the row of an address of more rows. Raises ApiError `INVALID_QUERY_LOCATOR`."""
    name, _, start = locator.partition("-")
    identifier = normalise_id(name)
    if identifier is None or not start.isdecimal():
        raise ApiError("INVALID_QUERY_LOCATOR", "invalid query locator")
    return identifier, int(start)


# -- describe -----------------------------------------------------------------------------------------


def list_objects(request: ApiRequest) -> ApiResponse:
    """Answer GET /sobjects."""
    return ApiResponse(
        describe_global(request.organisation.schema, base_path=request.base_path), headers=date_description(request)
    )


def describe(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe."""
    described = describe_object(request.find_sobject(name), base_path=request.base_path)
    return ApiResponse(described, headers=date_description(request))


def read_object(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X with the object in brief and its records that the user used most recently."""
    sobject = request.find_sobject(name)
    recent = describe_recent(request, sobject=sobject)
    body = {"objectDescribe": describe_briefly(sobject, base_path=request.base_path), "recentItems": recent}
    return ApiResponse(body, headers=date_description(request))


def date_description(request: ApiRequest) -> dict[str, str]:
    """Return the header that says when descriptions last changed."""
    return {"Last-Modified": format_http_date(request.service.described_since, usegmt=True)}


# -- changes ------------------------------------------------------------------------------------------


def read_span(request: ApiRequest) -> tuple[str, str]:
    """Return `start` and `end` of the address, to the minute. Raises ApiError for spans that the CRM refuses."""
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


def read_covered(request: ApiRequest, *, end: str) -> str:
    """Return the time up to which a list of changes is complete: `end`, or the minute that has just begun."""
    return min(end, format_datetime(request.organisation.read_clock().replace(second=0, microsecond=0)))


def list_deleted(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/deleted?start=&end=. Purged records are listed, undeleted ones are not."""
    sobject = find_replicated(request, name)
    start, end = read_span(request)
    emptied = read_log_emptied(request.organisation)
    if start < emptied:
        raise ApiError("INVALID_REPLICATION_DATE", f"startDate before the delete log was purged: {emptied}")
    return ApiResponse(
        {
            "deletedRecords": [
                {"deletedDate": stamp, "id": identifier}
                for identifier, stamp in list_deletions(request.organisation, sobject, start=start, end=end)
            ],
            "earliestDateAvailable": read_log_start(request.organisation),
            "latestDateCovered": read_covered(request, end=end),
        }
    )


def list_updated(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/updated?start=&end= with the ids of records created, changed or undeleted."""
    sobject = find_replicated(request, name)
    start, end = read_span(request)
    rows = request.organisation.database.fetch_all(
        f'SELECT "Id" FROM "{sobject.name}" WHERE "IsDeleted" = 0 AND "Id" {NOT_HIDDEN} '
        'AND "LastModifiedDate" >= ? AND "LastModifiedDate" < ? ORDER BY "LastModifiedDate", "Id"',
        (start, end),
    )
    return ApiResponse({"ids": [row[0] for row in rows], "latestDateCovered": read_covered(request, end=end)})


def find_replicated(request: ApiRequest, name: str) -> SObject:
    """Return an object whose changes are tracked. Raises ApiError `INVALID_TYPE` for another."""
    sobject = request.find_sobject(name)
    if not sobject.deletable:
        raise ApiError("INVALID_TYPE", f"object type '{sobject.name}' is not replicateable")
    return sobject
