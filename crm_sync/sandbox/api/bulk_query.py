"""Bulk API 2.0, query: `/jobs/query`. A job keeps what its query found, and answers it in pages of CSV.

Source: the chapter "Bulk API 2.0 Query" of the Bulk API 2.0 and Bulk API Developer Guide.
"""

from collections.abc import Iterator

from crm_sync.sandbox.api.bulk_jobs import abort_job, answer_csv, describe_job, read_choice
from crm_sync.sandbox.data.bulk_jobs import DELIMITERS, LINE_ENDINGS, BulkJob, read_locator, write_csv, write_locator
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.service import ApiRequest, ApiResponse
from crm_sync.sandbox.soql import tree
from crm_sync.sandbox.soql.grammar import parse_query
from crm_sync.sandbox.soql.shapes import QueryPlan, Shape
from crm_sync.sandbox.soql.translate import Translator

MAX_PAGE = 50_000
EVERYTHING = 1 << 62
OPERATIONS = dict.fromkeys(("query", "queryAll"))


def create_job(request: ApiRequest) -> ApiResponse:
    """Answer POST /jobs/query. Raises ApiError for a query that is wrong, or that bulk queries do not take."""
    body = request.read_object_body()
    operation = read_choice(body, "operation", choices=OPERATIONS, default="")
    text = body.get("query")
    if not isinstance(text, str) or not text:
        raise ApiError("InvalidJob", "query: a query string has to be specified")
    delimiter = read_choice(body, "columnDelimiter", choices=DELIMITERS, default="COMMA")
    line_ending = read_choice(body, "lineEnding", choices=LINE_ENDINGS, default="LF")
    plan = plan_query(request, text, include_deleted=operation == "queryAll")
    job = request.service.bulk_jobs.add(
        kind="query",
        operation=operation,
        object_name=plan.sobject.name,
        user_id=request.user_id,
        version=request.version,
        state="UploadComplete",
    )
    job.query, job.delimiter, job.line_ending = text, delimiter, line_ending
    described = describe_job(request, job, whole=False)
    request.service.bulk_jobs.start(job, run_job(request, job, plan))
    return ApiResponse(described)


def plan_query(request: ApiRequest, text: str, *, include_deleted: bool) -> QueryPlan:
    """Return the plan of a query. Raises ApiError."""
    organisation = request.organisation
    translator = Translator(
        text, organisation.schema, organisation.read_clock(), include_deleted, user_id=request.user_id
    )
    query = parse_query(text)
    plan = translator.translate(query)
    if plan.aggregate or plan.count_only:
        raise ApiError(
            "API_ERROR", "Aggregate Relationships not supported in Bulk Query: it takes no GROUP BY or COUNT"
        )
    if plan.shape.children:
        raise ApiError("API_ERROR", "Nested queries are not supported in Bulk Query")
    if any(isinstance(item.expression, tree.TypeOf) for item in query.select):
        raise ApiError("API_ERROR", "TYPEOF is not supported in Bulk Query")
    if has_compounds(plan.shape):
        raise ApiError("API_ERROR", "Selecting compound data not supported in Bulk Query")
    if plan.offset:
        raise ApiError("API_ERROR", "OFFSET clause is not supported in Bulk Query")
    return plan


def has_compounds(shape: Shape) -> bool:
    """Whether a query selects an address or location, also of a parent."""
    return bool(shape.compounds) or any(
        isinstance(each, Shape) and has_compounds(each) for each in shape.values.values()
    )


def run_job(request: ApiRequest, job: BulkJob, plan: QueryPlan) -> Iterator[None]:
    """Find the rows of a query and keep them as texts."""
    columns = list_columns(plan.shape)
    job.header = [name for name, _, _ in columns]
    rows = request.make_runner().select_rows(plan, limit=EVERYTHING)
    job.found = [[write_cell(row[index], is_boolean=is_boolean) for _, index, is_boolean in columns] for row in rows]
    yield


def list_columns(shape: Shape, *, prefix: str = "") -> list[tuple[str, int, bool]]:
    """Return name, place in a row, and whether it is a checkbox, of each column of a query."""
    columns: list[tuple[str, int, bool]] = []
    for name, source in shape.values.items():
        if isinstance(source, Shape):
            columns += list_columns(source, prefix=f"{prefix}{name}.")
        elif isinstance(source, int):
            columns.append((f"{prefix}{name}", source, name in shape.booleans))
    return columns


def write_cell(value: object, *, is_boolean: bool) -> str:
    """Return a value as text. Times end in Z here, whereas the REST API writes +0000."""
    if value is None:
        return ""
    if is_boolean:
        return "true" if value else "false"
    text = str(value)
    return f"{text[:-5]}Z" if text.endswith(".000+0000") else text


def change_job(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer PATCH /jobs/query/id, which can abort."""
    job = request.service.bulk_jobs.find(job_id, kind="query")
    read_choice(request.read_object_body(), "state", choices={"Aborted": None}, default="")
    return abort_job(request, job)


def read_results(request: ApiRequest, *, job_id: str) -> ApiResponse:
    """Answer GET /jobs/query/id/results?maxRecords=&locator=. Raises ApiError until the job is complete."""
    job = request.service.bulk_jobs.find(job_id, kind="query")
    if job.state != "JobComplete":
        raise ApiError(
            "INVALIDJOBSTATE", f"The job is in the state {job.state}: its results are there once it is JobComplete"
        )
    wanted = request.query.get("maxRecords", "")
    if wanted and not wanted.isdecimal():
        raise ApiError("INVALID_INPUT", f"maxRecords: {wanted} is no number")
    start = read_locator(request.query["locator"]) if request.query.get("locator") else 0
    page = job.found[start : start + min(int(wanted or MAX_PAGE) or MAX_PAGE, MAX_PAGE)]
    following = start + len(page)
    return answer_csv(
        write_csv(job, job.header, page),
        {
            "Sforce-Locator": write_locator(following) if following < len(job.found) else "null",
            "Sforce-NumberOfRecords": str(len(page)),
        },
    )
