"""The calls that a transfer makes to a CRM: log in, read, write, describe.

Wire facts: Salesforce REST API Developer Guide, API v60 (Query, QueryAll, sObject Collections, Describe,
Get Deleted, Limits).
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote_plus, urlencode

import structlog

from crm_sync.answers import drop_unstorable, is_retryable, read_rows
from crm_sync.connection import VERSIONS_PATH, CrmConnection
from crm_sync.errors import ConnectivityError, CrmError, RowResult
from crm_sync.options import ClientOptions, Credentials
from crm_sync.soql import check_name, format_datetime
from crm_sync.wire import Call, build_json_call

__all__ = ["MAX_BATCH", "ClientOptions", "Credentials", "CrmClient", "DeletedRecord"]

MAX_BATCH: Final = 200
MIN_PAGE: Final = 200
MAX_PAGE: Final = 2000
_VERSION: Final = re.compile(r"v[0-9]{1,3}\.[0-9]")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeletedRecord:
    """A record that the CRM has deleted, and when."""

    crm_id: str
    deleted_at: datetime


class CrmRecord(dict[str, Any]):
    """A record as the CRM sent it. Names in the CRM ignore case, so it is read by names in any case."""

    def __missing__(self, name: str) -> Any:
        """Return the value of the field that is called so in another case; KeyError if there is none."""
        for known, value in self.items():
            if known.lower() == name.lower():
                return value
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, or ``default``."""
        try:
            return self[name]
        except KeyError:
            return default

    def __contains__(self, name: object) -> bool:
        """Return whether there is a field of that name."""
        return super().__contains__(name) or (isinstance(name, str) and name.lower() in map(str.lower, self))


@dataclass(frozen=True, slots=True)
class _Page:
    records: list[dict[str, Any]]
    next_url: str | None


class CrmClient:
    """Everything one run says to one CRM organisation. Thread-safe; close it, or use it as a context manager.

    Calls are repeated as ``CrmConnection.perform`` says. That is safe for writes too, even when the answer to a
    committed write is lost: an upsert finds the record by its external id, an update by its Id.
    Every method raises the errors of ``crm_sync.errors`` and logs in first if nobody has.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credentials: Credentials,
        options: ClientOptions,
        on_wait: Callable[[], None] | None = None,
    ) -> None:
        """Check the address; nothing is sent yet. Raises ConfigurationError for an address that is not allowed.

        ``on_wait`` is called at least every two seconds while a retry waits, from the thread that waits: to keep a
        lease alive, or to raise what ends the run.
        """
        self._connection = CrmConnection(base_url=base_url, credentials=credentials, options=options, on_wait=on_wait)
        self._options = options
        self._root = f"/services/data/{options.api_version}"

    def __enter__(self) -> Self:
        """Return the client itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the client."""
        self.close()

    def __repr__(self) -> str:
        """Name the host and nothing else."""
        return f"<CrmClient {self._connection.host}>"

    @property
    def api_calls(self) -> int:
        """How many calls were sent, log-ins and repeated ones included."""
        return self._connection.wire.api_calls

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """API calls used and allowed in the organisation, as last told in ``Sforce-Limit-Info``."""
        return self._connection.wire.api_usage

    @property
    def server_time(self) -> datetime | None:
        """The CRM's clock in UTC, to the second, as last told in ``Date``."""
        return self._connection.wire.server_time

    @property
    def organisation_id(self) -> str:
        """Id of the organisation logged in to, 15 characters; empty before the log-in, or if the CRM did not tell."""
        return self._connection.organisation_id

    def close(self) -> None:
        """Close every connection and forget the token."""
        self._connection.close()

    def resolve(self) -> int:
        """Look the host up and judge what is found; return how many addresses it has."""
        return self._connection.resolve()

    def probe(self) -> None:
        """See the host answer at all, before anybody logs in."""
        self._connection.probe()

    def log_in(self) -> None:
        """Get a new token, whether or not there is one."""
        self._connection.log_in()

    def list_versions(self) -> list[str]:
        """Return the versions of the API there are, as the CRM lists them: ``["v31.0", …, "v60.0"]``."""
        return self._connection.perform(Call(method="GET", target=VERSIONS_PATH), read=_read_versions)

    def query(
        self, soql: str, *, include_deleted: bool = False, page_size: int = MAX_PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a query as the CRM cuts them, each a list of records without ``attributes``.

        ``include_deleted`` reads the recycle bin too (``IsDeleted``). ``page_size`` (200 to 2,000) is a hint: only the
        CRM's word tells the end, and a page may be empty. Raises QueryLocatorExpired when the CRM has forgotten it.
        """
        size = min(max(page_size, MIN_PAGE), MAX_PAGE)
        headers = {"Sforce-Query-Options": f"batchSize={size}"}
        resource = "queryAll" if include_deleted else "query"
        target = f"{self._root}/{resource}?q={quote_plus(soql)}"
        seen: set[str] = set()
        while True:
            page = self._connection.perform(Call(method="GET", target=target, headers=headers), read=_read_page)
            if page.next_url is not None:
                target = self._connection.check_next_path(page.next_url)
                if target in seen:
                    message = f"{self._connection.host} names the same page twice, so the query would never end."
                    raise ConnectivityError(message)
                seen.add(target)
            yield page.records
            if page.next_url is None:
                return

    def upsert(
        self, *, object_name: str, external_id_field: str, records: Sequence[Mapping[str, Any]]
    ) -> list[RowResult]:
        """Create or update up to 200 records by external id; return one result per record, in the order given.

        A refused record does not stop the others. Records refused for a passing reason (a locked row) are sent again by
        themselves; what is still refused then is returned as refused. ValueError for more than 200 records.
        """
        target = f"{self._root}/composite/sobjects/{check_name(object_name)}/{check_name(external_id_field)}"
        return self._write(target=target, object_name=object_name, records=records)

    def update(self, *, object_name: str, records: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        """Update up to 200 records, each carrying its ``Id``; results and errors as with ``upsert``."""
        check_name(object_name)
        if not all(record.get("Id") for record in records):
            message = "Every record to update needs its Id."
            raise ValueError(message)
        named = [{"id" if name == "Id" else name: value for name, value in record.items()} for record in records]
        return self._write(target=f"{self._root}/composite/sobjects", object_name=object_name, records=named)

    def describe(self, object_name: str) -> dict[str, Any]:
        """Return the CRM's description of an object, with its ``fields``."""
        target = f"{self._root}/sobjects/{check_name(object_name)}/describe"
        return self._connection.perform(Call(method="GET", target=target), read=_read_described)

    def list_deleted(self, *, object_name: str, start: datetime, end: datetime) -> list[DeletedRecord]:
        """Return what was deleted between two moments with time zone; the CRM looks back 30 days at most."""
        period = urlencode({"start": format_datetime(start), "end": format_datetime(end)})
        target = f"{self._root}/sobjects/{check_name(object_name)}/deleted/?{period}"
        return self._connection.perform(Call(method="GET", target=target), read=_read_deleted)

    def get_limits(self) -> dict[str, Any]:
        """Return the organisation's limits: ``{"DailyApiRequests": {"Max": 15000, "Remaining": 14998}, …}``."""
        return self._connection.perform(Call(method="GET", target=f"{self._root}/limits"), read=_read_object)

    def _write(self, *, target: str, object_name: str, records: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        if len(records) > MAX_BATCH:
            message = f"A batch holds at most {MAX_BATCH} records, not {len(records)}."
            raise ValueError(message)
        if not records:
            return []
        rows = [{"attributes": {"type": object_name}, **record} for record in records]
        results = self._send_rows(target=target, rows=rows)
        for attempt in range(1, self._options.max_attempts):
            refused = [position for position, result in enumerate(results) if is_retryable(result)]
            if not refused or not self._connection.wait_for_retry(attempt=attempt):
                break
            try:
                repeated = self._send_rows(target=target, rows=[rows[position] for position in refused])
            except CrmError as error:
                # What the CRM has confirmed must not get lost over the rest; the next call meets the same trouble.
                log.warning("crm_rows_not_repeated", error_type=error.error_type, rows=len(refused))
                break
            for position, result in zip(refused, repeated, strict=True):
                results[position] = result
        return results

    def _send_rows(self, *, target: str, rows: Sequence[Mapping[str, Any]]) -> list[RowResult]:
        call = build_json_call(method="PATCH", target=target, payload={"allOrNone": False, "records": rows})
        redact = self._connection.redact

        def read(payload: Any) -> list[RowResult]:
            results = read_rows(payload, expected=len(rows), redact=redact)
            for row, result in zip(rows, results, strict=True):
                # What was updated is known by its id, of which the last three of 18 characters only spell the case.
                if result.success and "id" in row and result.crm_id[:15] != str(row["id"])[:15]:
                    message = "a result of another record"
                    raise ValueError(message)
            return results

        return self._connection.perform(call, read=read)


def _read_page(payload: Any) -> _Page:
    is_done, next_url = payload["done"], payload.get("nextRecordsUrl")
    if not isinstance(is_done, bool) or (not is_done and not isinstance(next_url, str)):
        message = "a page must be the last or name the next"
        raise ValueError(message)
    records = [_drop_attributes(record) for record in payload["records"]]
    if not all(isinstance(record, dict) for record in records):
        message = "a page must hold records"
        raise TypeError(message)
    return _Page(records=records, next_url=None if is_done else next_url)


def _drop_attributes(value: Any) -> Any:
    if isinstance(value, str):
        return drop_unstorable(value)
    if isinstance(value, dict):
        return CrmRecord((name, _drop_attributes(inner)) for name, inner in value.items() if name != "attributes")
    return [_drop_attributes(inner) for inner in value] if isinstance(value, list) else value


def _read_versions(payload: Any) -> list[str]:
    versions = [f"v{entry['version']}" for entry in payload]
    if not all(_VERSION.fullmatch(version) for version in versions):
        message = "versions must be numbers"
        raise ValueError(message)
    return versions


def _read_object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        message = "an object was expected"
        raise TypeError(message)
    return payload


def _read_described(payload: Any) -> dict[str, Any]:
    described = _read_object(payload)
    if not isinstance(described["fields"], list):
        message = "a description must list fields"
        raise TypeError(message)
    return described


def _read_deleted(payload: Any) -> list[DeletedRecord]:
    return [
        DeletedRecord(crm_id=row["id"], deleted_at=datetime.fromisoformat(row["deletedDate"]).astimezone(UTC))
        for row in payload["deletedRecords"]
    ]
