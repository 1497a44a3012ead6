"""The log of an organisation's requests, and of what each write did to its records.

It holds no values of headers, query strings or log-ins, which may be secret; of bodies, the values of records alone.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

MAX_ENTRIES = 100_000
MAX_WRITTEN = 10_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request. `status` is 0 when the connection was dropped on purpose."""

    at: datetime
    method: str
    path: str
    status: int
    milliseconds: float
    handed_over: str = ""
    """Names of the request's own headers with the lengths of their values, such as `X-Session (57 characters)`."""


@dataclass(frozen=True, slots=True)
class WrittenRecord:
    """What a request did to one record. `outcome` is created, updated, deleted or refused.

    `id` is empty if the record was not created; `external_id` is the value of its external id field, if it was sent.
    `values` are those that were sent.
    """

    object_name: str
    id: str
    external_id: str
    outcome: str
    error_code: str
    values: Mapping[str, Any]


class RequestLog:
    """The last 100,000 requests and the last 10,000 records written, oldest first. Any thread may read it."""

    def __init__(self) -> None:
        """Make an empty log."""
        self._entries: deque[LogEntry] = deque(maxlen=MAX_ENTRIES)
        self._written: deque[tuple[LogEntry, WrittenRecord]] = deque(maxlen=MAX_WRITTEN)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of requests held."""
        return len(self._entries)

    def __iter__(self) -> Iterator[LogEntry]:
        """Iterate over a copy, oldest first."""
        with self._lock:
            return iter(list(self._entries))

    def add(self, entry: LogEntry, *, written: Sequence[WrittenRecord] = ()) -> None:
        """Append a request, with the records that it wrote."""
        with self._lock:
            self._entries.append(entry)
            self._written.extend((entry, record) for record in written)

    def list_written(self, key: str = "") -> list[tuple[LogEntry, WrittenRecord]]:
        """Return the records that were written, each with its request; with `key`, those of this id or external id."""
        with self._lock:
            written = list(self._written)
        return [(entry, record) for entry, record in written if not key or key in {record.id, record.external_id}]

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._entries.clear()
            self._written.clear()

    def count(self, *, method: str | None = None, path_contains: str = "", status: int | None = None) -> int:
        """Return how many requests had this method, this text in their path and this status."""
        return sum(
            1
            for entry in self
            if (method is None or entry.method == method)
            and path_contains in entry.path
            and (status is None or entry.status == status)
        )

    def count_by_path(self) -> Counter[tuple[str, str]]:
        """Return the number of requests by (method, path)."""
        return Counter((entry.method, entry.path) for entry in self)
