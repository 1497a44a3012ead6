"""The calls that a transfer makes to a CRM: log in, read, write, describe.

Wire facts: Salesforce REST API Developer Guide, API v60 (Query, QueryAll, sObject Collections, Describe,
Get Deleted, Limits).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote_plus, urlencode

import structlog

from crm_sync.crm.dialect import ClockReading, Deletions
from crm_sync.crm.errors import ConnectivityError, CrmError, QueryLocatorExpired, RowResult
from crm_sync.salesforce.http import Call, build_json_call
from crm_sync.salesforce.options import ClientOptions, Credentials
from crm_sync.salesforce.responses import drop_unstorable, is_retryable, read_rows
from crm_sync.salesforce.session import VERSIONS_PATH, CrmConnection
from crm_sync.salesforce.soql import check_name, format_datetime

__all__ = ["MAX_BATCH", "ClientOptions", "ClockReading", "Credentials", "CrmClient", "Deletions"]

MAX_BATCH: Final = 200
MIN_PAGE: Final = 200
USER_INFO_PATH: Final = "/services/oauth2/userinfo"
MAX_PAGE: Final = 2000
MAX_EMPTY_PAGES: Final = 100
"""More pages without records, one after the other, are taken for a query that never ends."""

# Salesforce REST API Developer Guide, "Duplicate Rule Header".
_ALLOW_DUPLICATES: Final = {"Sforce-Duplicate-Rule-Header": "allowSave=true"}
_FROM: Final = re.compile(r"\bFROM (\w+)")
_VERSION: Final = re.compile(r"v[0-9]{1,3}\.[0-9]")

log = structlog.get_logger(__name__)


class CrmRecord(dict[str, Any]):
    """A record as the CRM sent it. Field names in the CRM ignore case, so look-ups do too."""

    def __missing__(self, name: str) -> Any:
        """Return the value of the field whose name differs in case alone; raises KeyError if there is none."""
        for known, value in self.items():
            if known.lower() == name.lower():
                return value
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the value of a field, or `default`."""
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
    total: int


class CrmClient:
    """Makes the calls of one run to one CRM organisation. Thread-safe; close it, or use it as a context manager.

    Calls are repeated as `CrmConnection.perform` describes. That is safe for writes too, even when the answer to a
    committed write is lost: an upsert finds the record by its external id, an update by its Id.
    Every method raises the errors of `crm_sync.crm.errors` and logs in first if there is no token yet.
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

        `on_wait` is called at least every two seconds while a retry waits, from the thread that waits. It can keep a
        lease alive, or raise an error that ends the run.
        """
        self._connection = CrmConnection(base_url=base_url, credentials=credentials, options=options, on_wait=on_wait)
        self._options = options
        self._carried: Mapping[str, str] = {}
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
        """Return the host and nothing else, because the other attributes hold secrets."""
        return f"<CrmClient {self._connection.host}>"

    @property
    def api_calls(self) -> int:
        """How many calls were sent, log-ins and repeated ones included."""
        return self._connection.wire.api_calls

    @property
    def api_usage(self) -> tuple[int, int] | None:
        """API calls used and allowed in the organisation, from the last header `Sforce-Limit-Info`."""
        return self._connection.wire.api_usage

    @property
    def call_times(self) -> Counter[int]:
        """How many calls were answered in which time so far, without log-ins; see `crm_sync.crm.call_times`."""
        return self._connection.wire.call_times.copy()

    @property
    def clock(self) -> ClockReading | None:
        """The CRM's clock beside the Vault's, from the last header `Date`."""
        return self._connection.wire.clock

    @property
    def organisation_id(self) -> str:
        """Id of the organisation logged in to, 15 characters; empty before the log-in or if the CRM did not send it."""
        return self._connection.organisation_id

    @property
    def user_id(self) -> str:
        """Id of the user logged in as; empty before the log-in or if the CRM did not send it."""
        return self._connection.user_id

    def read_username(self) -> str:
        """Ask the CRM for the name of the user logged in as; it costs no API call."""
        call = Call(method="GET", target=USER_INFO_PATH, purpose="reading who is logged in")
        return self._connection.perform(call, read=_read_username)

    @property
    def log_in_host(self) -> str:
        """The host that is asked for tokens."""
        return self._connection.log_in_host

    @property
    def proven_certificate(self) -> str:
        """PEM text of the certificate of the last log-in; empty before it and for other flows than JWT bearer."""
        return self._connection.proven_certificate

    def close(self) -> None:
        """Close every connection and forget the token."""
        self._connection.close()

    def resolve(self) -> int:
        """Look up the host, check its addresses and return how many there are."""
        return self._connection.resolve()

    def probe(self) -> None:
        """Check that the host answers a call that needs no log-in."""
        self._connection.probe()

    def log_in(self) -> None:
        """Get a new token, even if there is one already."""
        self._connection.log_in()

    def list_versions(self) -> list[str]:
        """Return the API versions that the CRM offers, in its order: `["v31.0", …, "v60.0"]`."""
        return self._connection.perform(Call(method="GET", target=VERSIONS_PATH), read=_read_versions)

    def query(
        self, soql: str, *, include_deleted: bool = False, page_size: int = MAX_PAGE
    ) -> Iterator[list[dict[str, Any]]]:
        """Yield the pages of a query as the CRM cuts them, each a list of records without `attributes`.

        `include_deleted` reads the recycle bin too (`IsDeleted`). `page_size` (200 to 2,000) is a hint: a page may be
        empty, and only the CRM's `done` marks the last one. Raises QueryLocatorExpired when the CRM has forgotten the
        place of the next page, or has sent fewer records than it announced, and ConnectivityError for a query that does
        not come to an end.
        """
        size = min(max(page_size, MIN_PAGE), MAX_PAGE)
        headers = {"Sforce-Query-Options": f"batchSize={size}"}
        queried = _FROM.search(soql)
        purpose = f"reading {queried[1]}" if queried else ""
        resource = "queryAll" if include_deleted else "query"
        call = Call(
            method="GET", target=f"{self._root}/{resource}?q={quote_plus(soql)}", headers=headers, purpose=purpose
        )
        seen: set[str] = set()
        # Hashes instead of ids: 64 bytes a record, and two equal ones would only lead to another query.
        different: set[int] = set()
        received = empty = 0
        while True:
            page = self._connection.perform(call, read=_read_page)
            ids = [record.get("Id") or received + position for position, record in enumerate(page.records)]
            different.update(hash(str(known)) for known in ids)
            yield page.records
            if page.next_url is None:
                if len(different) < page.total:
                    raise QueryLocatorExpired(
                        f"{self._connection.host} announced {page.total} records and sent {len(different)} of them."
                    )
                return
            received += len(page.records)
            empty = 0 if page.records else empty + 1
            target = self._connection.check_next_path(page.next_url)
            # Pages may repeat some records; one that repeats them all is as endless as one without any.
            if target in seen or empty > MAX_EMPTY_PAGES or received > 2 * page.total + MAX_PAGE:
                raise ConnectivityError(
                    f"{self._connection.host} always names a further page of a query with {page.total} records, so the "
                    "query would never end.",
                    remedy="Ask the CRM's support about this; the next run reads again.",
                )
            seen.add(target)
            call = Call(method="GET", target=target, headers=headers, purpose=purpose, is_next_page=True)

    def upsert(
        self,
        *,
        object_name: str,
        external_id_field: str,
        records: Sequence[Mapping[str, Any]],
        allow_duplicates: bool = False,
    ) -> list[RowResult]:
        """Create or update up to 200 records by external id; return one result per record, in the order given.

        A refused record does not stop the others. Records refused for a passing reason, such as a locked row, are sent
        again without the others; those still refused then are returned as refused. With `allow_duplicates` they are
        saved although a duplicate rule warns. Raises ValueError for more than 200 records.
        """
        target = f"{self._root}/composite/sobjects/{check_name(object_name)}/{check_name(external_id_field)}"
        return self._write(target=target, object_name=object_name, records=records, allow_duplicates=allow_duplicates)

    def update(
        self, *, object_name: str, records: Sequence[Mapping[str, Any]], allow_duplicates: bool = False
    ) -> list[RowResult]:
        """Update up to 200 records, each with its `Id`; results and errors are those of `upsert`."""
        check_name(object_name)
        if not all(record.get("Id") for record in records):
            raise ValueError("Every record to update needs its Id.")
        named = [{"id" if name == "Id" else name: value for name, value in record.items()} for record in records]
        return self._write(
            target=f"{self._root}/composite/sobjects",
            object_name=object_name,
            records=named,
            allow_duplicates=allow_duplicates,
        )

    def carry_secret(self, text: str, *, header: str) -> None:
        """Send a text in this header of every call that writes from now on, and remove it from errors of the CRM."""
        self._carried = {header: text} if header and text else {}
        if text:
            self._connection.add_secret(text)

    def describe(self, object_name: str) -> dict[str, Any]:
        """Return the CRM's description of an object, with its `fields`."""
        target = f"{self._root}/sobjects/{check_name(object_name)}/describe"
        call = Call(method="GET", target=target, purpose=f"describing {object_name}")
        return self._connection.perform(call, read=_read_described)

    def list_objects(self) -> dict[str, str]:
        """Return the labels of the objects that the CRM user sees, by name (describeGlobal)."""
        call = Call(method="GET", target=f"{self._root}/sobjects", purpose="listing objects")
        return self._connection.perform(call, read=_read_objects)

    def list_deleted(self, *, object_name: str, start: datetime, end: datetime) -> Deletions:
        """Return the records deleted between two aware datetimes, of which the CRM ignores the seconds.

        The CRM looks back 15 days at most and refuses a `start` of which it knows nothing any more (CrmError with the
        code `INVALID_REPLICATION_DATE`).
        """
        period = urlencode({"start": format_datetime(start), "end": format_datetime(end)})
        target = f"{self._root}/sobjects/{check_name(object_name)}/deleted/?{period}"
        call = Call(method="GET", target=target, purpose=f"reading deletions of {object_name}")
        return self._connection.perform(call, read=_read_deleted)

    def get_limits(self) -> dict[str, Any]:
        """Return the organisation's limits: `{"DailyApiRequests": {"Max": 15000, "Remaining": 14998}, …}`."""
        call = Call(method="GET", target=f"{self._root}/limits", purpose="reading limits")
        return self._connection.perform(call, read=_read_object)

    def _write(
        self, *, target: str, object_name: str, records: Sequence[Mapping[str, Any]], allow_duplicates: bool
    ) -> list[RowResult]:
        if len(records) > MAX_BATCH:
            raise ValueError(f"A batch holds at most {MAX_BATCH} records, not {len(records)}.")
        if not records:
            return []
        headers = {**self._carried, **(_ALLOW_DUPLICATES if allow_duplicates else {})}
        rows = [{"attributes": {"type": object_name}, **record} for record in records]
        results = self._send_rows(target=target, rows=rows, headers=headers)
        for attempt in range(1, self._options.max_attempts):
            refused = [position for position, result in enumerate(results) if is_retryable(result)]
            if not refused or not self._connection.wait_for_retry(attempt=attempt):
                break
            try:
                again = [rows[position] for position in refused]
                repeated = self._send_rows(target=target, rows=again, headers=headers)
            except CrmError as error:
                # The rows that the CRM has confirmed must not be lost; if the trouble lasts, the next call raises it.
                log.warning("crm_rows_not_repeated", error_type=error.error_type, rows=len(refused))
                break
            for position, result in zip(refused, repeated, strict=True):
                results[position] = result
        return results

    def _send_rows(
        self, *, target: str, rows: Sequence[Mapping[str, Any]], headers: Mapping[str, str]
    ) -> list[RowResult]:
        payload = {"allOrNone": False, "records": rows}
        purpose = f"writing {rows[0]['attributes']['type']}"
        call = build_json_call(method="PATCH", target=target, payload=payload, headers=headers, purpose=purpose)
        if self._options.is_rehearsal:
            self._connection.rehearse(call)
            return [RowResult(str(row.get("id", "")), success=True, created=False, errors=()) for row in rows]
        redact = self._connection.redact

        def read(payload: Any) -> list[RowResult]:
            results = read_rows(payload, expected=len(rows), redact=redact)
            for row, result in zip(rows, results, strict=True):
                # Compare 15 characters of the id: the last three of 18 are a checksum of its upper and lower case.
                if result.success and "id" in row and result.crm_id[:15] != str(row["id"])[:15]:
                    raise ValueError("a result of another record")
            return results

        return self._connection.perform(call, read=read)


def _read_page(payload: Any) -> _Page:
    is_done, next_url, total = payload["done"], payload.get("nextRecordsUrl"), payload.get("totalSize", 0)
    if not isinstance(is_done, bool) or not isinstance(total, int) or (not is_done and not isinstance(next_url, str)):
        raise ValueError("a page must be the last or name the next")
    records = [_drop_attributes(record) for record in payload["records"]]
    if not all(isinstance(record, dict) for record in records):
        raise TypeError("a page must hold records")
    return _Page(records=records, next_url=None if is_done else next_url, total=total)


def _drop_attributes(value: Any) -> Any:
    if isinstance(value, str):
        return drop_unstorable(value)
    if isinstance(value, dict):
        return CrmRecord((name, _drop_attributes(inner)) for name, inner in value.items() if name != "attributes")
    return [_drop_attributes(inner) for inner in value] if isinstance(value, list) else value


def _read_versions(payload: Any) -> list[str]:
    versions = [f"v{entry['version']}" for entry in payload]
    if not all(_VERSION.fullmatch(version) for version in versions):
        raise ValueError("versions must be numbers")
    return versions


def _read_object(payload: Any) -> dict[str, Any]:
    if not isinstance(payload, dict):
        raise TypeError("an object was expected")
    return payload


def _read_described(payload: Any) -> dict[str, Any]:
    described = _read_object(payload)
    if not isinstance(described["fields"], list):
        raise TypeError("a description must list fields")
    return described


def _read_objects(payload: Any) -> dict[str, str]:
    listed = _read_object(payload)["sobjects"]
    return {str(each["name"]): str(each.get("label") or "") for each in listed if each.get("queryable") is True}


def _read_deleted(payload: Any) -> Deletions:
    return Deletions(
        crm_ids=[_read_id(row["id"]) for row in payload["deletedRecords"]],
        known_since=_read_moment(payload.get("earliestDateAvailable")),
        known_until=_read_moment(payload.get("latestDateCovered")),
    )


def _read_id(value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError("an id must be a text")
    return value


def _read_moment(text: Any) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _read_username(payload: dict[str, Any]) -> str:
    return str(payload["preferred_username"])
