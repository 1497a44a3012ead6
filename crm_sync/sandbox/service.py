"""One organisation as a service: requests and answers without HTTP, and the routes to their handlers."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from crm_sync.sandbox.data.bulk_batches import BatchJobs
from crm_sync.sandbox.data.bulk_jobs import BulkJobs
from crm_sync.sandbox.data.duplicates import is_duplicate
from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.grants import GrantStore
from crm_sync.sandbox.data.organisation import Organisation
from crm_sync.sandbox.data.recent import note_recent
from crm_sync.sandbox.data.records import PlannedRow
from crm_sync.sandbox.data.values import RowRejectedError
from crm_sync.sandbox.errors import ApiError, not_found, unsupported_version
from crm_sync.sandbox.misbehaviour import NO_EFFECT, Effect, Misbehaviour
from crm_sync.sandbox.request_log import RequestLog, WrittenRecord
from crm_sync.sandbox.soql.answers import CursorStore, QueryRunner
from crm_sync.sandbox.soql.faults import PageFaults

NEWEST_VERSION = 66
FIRST_ERROR_STATUS = 400
MIN_BATCH_SIZE = 200
MAX_BATCH_SIZE = 2_000


@dataclass(slots=True)
class Service:
    """An organisation with its misbehaviour, its open query cursors and its request log."""

    organisation: Organisation
    misbehaviour: Misbehaviour = field(init=False)
    cursors: CursorStore = field(init=False)
    bulk_jobs: BulkJobs = field(init=False)
    batch_jobs: BatchJobs = field(init=False)
    grants: GrantStore = field(init=False)
    log: RequestLog = field(default_factory=RequestLog)
    # When the descriptions of objects last changed: they are those of the program that runs.
    described_since: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Make the parts that belong to the organisation."""
        self.described_since = self.organisation.read_clock()
        self.misbehaviour = Misbehaviour(self.organisation)
        self.cursors = CursorStore(self.organisation)
        self.bulk_jobs = BulkJobs(self.organisation)
        self.batch_jobs = BatchJobs(self.organisation)
        self.grants = GrantStore(self.organisation.database)

    def check_version(self, version: int) -> None:
        """Raise ApiError for a version of the API that is retired (410 GONE) or does not exist yet (404)."""
        if version < self.misbehaviour.oldest_api_version:
            raise unsupported_version(version)
        if version > NEWEST_VERSION:
            raise not_found()


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call below `/services/data/vXX.0`. `path` begins after the version and has no trailing slash."""

    service: Service
    method: str
    version: int
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    user_id: str
    base_url: str
    effect: Effect = NO_EFFECT
    # What the request did to records, for the log.
    written: list[WrittenRecord] = field(default_factory=list)

    @property
    def organisation(self) -> Organisation:
        """The organisation that is asked."""
        return self.service.organisation

    @property
    def base_path(self) -> str:
        """The path of this version of the API."""
        return f"/services/data/v{self.version}.0"

    @property
    def batch_size(self) -> int:
        """The most rows of a page: what the client asks for, from 200 to 2,000 as in the CRM."""
        match = re.search(r"batchSize\s*=\s*(\d+)", self.headers.get("sforce-query-options", ""), re.IGNORECASE)
        wanted = int(match.group(1)) if match else MAX_BATCH_SIZE
        return min(max(wanted, MIN_BATCH_SIZE), MAX_BATCH_SIZE)

    def make_runner(self) -> QueryRunner:
        """Return a runner of queries for this request."""
        return QueryRunner(self.organisation, self.service.cursors, self.base_path, self.user_id)

    def find_sobject(self, name: str) -> SObject:
        """Return the object with this name in any case. Raises ApiError `NOT_FOUND`."""
        sobject = self.organisation.schema.find(name)
        if sobject is None:
            raise not_found()
        return sobject

    def read_object_body(self) -> dict[str, Any]:
        """Return the JSON object of the body. Raises ApiError `JSON_PARSER_ERROR`."""
        if not isinstance(self.body, dict):
            raise ApiError(
                "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
            )
        return self.body

    @property
    def page_faults(self) -> PageFaults:
        """What is to be wrong with the pages of this request's query."""
        return PageFaults(self.effect.page_size, self.effect.rows, self.effect.next_page)

    @property
    def saves_duplicates(self) -> bool:
        """Whether the client wants records saved that duplicate rules warn of."""
        header = self.headers.get("sforce-duplicate-rule-header", "")
        return re.search(r"allowSave\s*=\s*true", header, re.IGNORECASE) is not None

    @property
    def row_fault(self) -> Callable[[PlannedRow], ApiError | None] | None:
        """The function that refuses rows on purpose, or None when no rule and no setting does so."""
        return self.find_row_fault if self.effect.row_errors or self.service.misbehaviour.duplicate_rule else None

    def find_row_fault(self, row: PlannedRow) -> ApiError | None:
        """Return the error that a rule names for one of the row's external ids or its id, or that of a duplicate."""
        faults = self.effect.row_errors
        names = [
            str(row.values[entry.name])
            for entry in row.sobject.fields
            if entry.external_id and row.values.get(entry.name)
        ]
        for name in (*names, row.id or ""):
            fault = faults.get(name)
            if fault is not None:
                code = fault["code"] if isinstance(fault, dict) else fault
                message = fault.get("message", "") if isinstance(fault, dict) else ""
                return RowRejectedError(code, message or f"{code} for {name}", [])
        if (
            row.sobject.name == self.service.misbehaviour.duplicate_rule
            and not self.saves_duplicates
            and is_duplicate(self.organisation, row)
        ):
            return RowRejectedError("DUPLICATES_DETECTED", "Use one of these records?", [])
        return None

    def note_written(self, rows: Sequence[PlannedRow], *, sent: Sequence[Mapping[str, Any]] = ()) -> None:
        """Note what became of rows, for the log; `sent` are their records as received, none for deletions.

        Those that were created or changed become the user's recently used records.
        """
        if sent:
            kept = [row.id for row in rows if row.error is None and row.id]
            note_recent(self.organisation, user_id=self.user_id, record_ids=kept)
        for row, record in zip(rows, sent or [{}] * len(rows), strict=True):
            if row.error is not None:
                outcome = "refused"
            elif not sent:
                outcome = "deleted"
            else:
                outcome = "created" if row.created else "updated"
            keys = [row.values.get(entry.name) for entry in row.sobject.fields if entry.external_id]
            self.written.append(
                WrittenRecord(
                    object_name=row.sobject.name,
                    id=row.id or "",
                    external_id=next((str(key) for key in keys if key), ""),
                    outcome=outcome,
                    error_code=row.error.code if row.error is not None else "",
                    values={name: value for name, value in record.items() if name != "attributes"},
                )
            )

    def derive(self, *, method: str, path: str, query: Mapping[str, str], body: Any, version: int) -> "ApiRequest":
        """Return a request of the same user that is part of this one."""
        return replace(self, method=method, path=path, query=query, body=body, version=version)


@dataclass(slots=True)
class ApiResponse:
    """An answer: `body` None means no body; bytes are sent as they are, with the content type of the headers."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the call succeeded."""
        return self.status < FIRST_ERROR_STATUS


Handler = Callable[..., ApiResponse]


class Routes:
    """Regular expressions of paths, each with a handler for every HTTP method it takes."""

    def __init__(self) -> None:
        """Begin without routes."""
        self._routes: list[tuple[re.Pattern[str], dict[str, Handler]]] = []

    def add(self, pattern: str, **handlers: Handler) -> None:
        """Add a path and its handlers by HTTP method. The pattern's named groups become arguments of the handlers."""
        self._routes.append((re.compile(pattern + "/?", re.IGNORECASE), handlers))

    def dispatch(self, request: ApiRequest) -> ApiResponse:
        """Answer a request. Raises ApiError for unknown paths, wrong methods and what handlers refuse."""
        match, handlers = self._find(request.path)
        handler = handlers.get("GET" if request.method == "HEAD" else request.method)
        if handler is None:
            allowed = self.list_methods(request.path)
            raise ApiError(
                "METHOD_NOT_ALLOWED",
                f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}",
                headers={"Allow": allowed},
            )
        return handler(request, **match.groupdict())

    def list_methods(self, path: str) -> str:
        """Return the methods that a path takes, joined by commas. Raises ApiError for an unknown path."""
        _, handlers = self._find(path)
        return ",".join(sorted({*handlers, *(["HEAD"] if "GET" in handlers else [])}))

    def _find(self, path: str) -> tuple[re.Match[str], dict[str, Handler]]:
        for pattern, handlers in self._routes:
            match = pattern.fullmatch(path)
            if match is not None:
                return match, handlers
        raise not_found()
