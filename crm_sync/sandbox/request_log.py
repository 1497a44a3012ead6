"""The log of an organisation's requests. It holds no bodies, headers or query strings, which may be secret."""

import threading
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

MAX_ENTRIES = 100_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One request. `status` is 0 when the connection was dropped on purpose."""

    at: datetime
    method: str
    path: str
    status: int
    milliseconds: float


class RequestLog:
    """The last 100,000 requests, oldest first. Any thread may read it."""

    def __init__(self) -> None:
        """Make an empty log."""
        self._entries: deque[LogEntry] = deque(maxlen=MAX_ENTRIES)
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """Return the number of requests held."""
        return len(self._entries)

    def __iter__(self) -> Iterator[LogEntry]:
        """Iterate over a copy, oldest first."""
        with self._lock:
            return iter(list(self._entries))

    def add(self, entry: LogEntry) -> None:
        """Append a request."""
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        """Remove all requests."""
        with self._lock:
            self._entries.clear()

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
