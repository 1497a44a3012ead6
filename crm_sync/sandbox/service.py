"""One organisation as a service: a request without HTTP around it, and the table that finds who answers it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.misbehaviour import NO_EFFECT, Effect, Misbehaviour
from crm_sync.sandbox.organisation import Organisation
from crm_sync.sandbox.records import PlannedRow
from crm_sync.sandbox.request_log import RequestLog
from crm_sync.sandbox.schema import SObject, find_object
from crm_sync.sandbox.soql.answers import CursorStore, QueryRunner
from crm_sync.sandbox.values import RowRejectedError

OLDEST_VERSION = 31
NEWEST_VERSION = 66
FIRST_ERROR_STATUS = 400
MIN_BATCH_SIZE = 200
MAX_BATCH_SIZE = 2_000


@dataclass(slots=True)
class Service:
    """An organisation with what serving it needs."""

    organisation: Organisation
    misbehaviour: Misbehaviour = field(init=False)
    cursors: CursorStore = field(init=False)
    log: RequestLog = field(default_factory=RequestLog)

    def __post_init__(self) -> None:
        """Make the parts that belong to the organisation."""
        self.misbehaviour = Misbehaviour(self.organisation)
        self.cursors = CursorStore(self.organisation)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One call below ``/services/data/vXX.0``. ``path`` begins after the version and has no trailing slash."""

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
        """The greatest page the client wants, within what the CRM gives."""
        match = re.search(r"batchSize\s*=\s*(\d+)", self.headers.get("sforce-query-options", ""), re.IGNORECASE)
        wanted = int(match.group(1)) if match else MAX_BATCH_SIZE
        return min(max(wanted, MIN_BATCH_SIZE), MAX_BATCH_SIZE)

    def make_runner(self) -> QueryRunner:
        """Return what runs queries for this request."""
        return QueryRunner(self.organisation, self.service.cursors, self.base_path, self.user_id)

    def find_sobject(self, name: str) -> SObject:
        """Return an object by name in any case. Raises ApiError ``NOT_FOUND``."""
        sobject = find_object(name)
        if sobject is None:
            raise not_found()
        return sobject

    def read_object_body(self) -> dict[str, Any]:
        """Return the JSON object of the body. Raises ApiError ``JSON_PARSER_ERROR``."""
        if not isinstance(self.body, dict):
            raise ApiError(
                "JSON_PARSER_ERROR", "The HTTP entity body is required, but this request has no entity body."
            )
        return self.body

    def find_row_fault(self, row: PlannedRow) -> ApiError | None:
        """Return the error that a rule plants in a row, by any of its external ids or its id."""
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
        return None

    def derive(self, *, method: str, path: str, query: Mapping[str, str], body: Any, version: int) -> "ApiRequest":
        """Return a request inside this one, of the same user."""
        return replace(self, method=method, path=path, query=query, body=body, version=version)


@dataclass(slots=True)
class ApiResponse:
    """An answer: ``body`` None means no body."""

    body: Any = None
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Whether the call did what it was asked for."""
        return self.status < FIRST_ERROR_STATUS


Handler = Callable[..., ApiResponse]


class Routes:
    """Paths by regular expression, each with its handlers by method."""

    def __init__(self) -> None:
        """Begin without routes."""
        self._routes: list[tuple[re.Pattern[str], dict[str, Handler]]] = []

    def add(self, pattern: str, **handlers: Handler) -> None:
        """Add a path; named groups become arguments of the handlers, which are given by method."""
        self._routes.append((re.compile(pattern + "/?", re.IGNORECASE), handlers))

    def dispatch(self, request: ApiRequest) -> ApiResponse:
        """Answer a request. Raises ApiError for unknown paths, wrong methods and what handlers refuse."""
        for pattern, handlers in self._routes:
            match = pattern.fullmatch(request.path)
            if match is None:
                continue
            handler = handlers.get(request.method)
            if handler is None:
                allowed = ",".join(sorted(handlers))
                raise ApiError(
                    "METHOD_NOT_ALLOWED",
                    f"HTTP Method '{request.method}' not allowed. Allowed are {allowed}",
                    headers={"Allow": allowed},
                )
            return handler(request, **match.groupdict())
        raise not_found()
