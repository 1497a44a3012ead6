"""How long to wait before a call is made again, and how much waiting one run may do."""

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class RetryBudget:
    """The seconds of waiting that one run may spend, counted on the clock and not per thread.

    Threads that wait at the same time for the same outage spend the time once. Thread-safe.
    """

    def __init__(self, seconds: float) -> None:
        """Start with ``seconds`` to spend."""
        self._left = seconds
        self._waiting_until = 0.0
        self._lock = threading.Lock()

    def reserve(self, seconds: float) -> bool:
        """Take ``seconds`` from now on out of the budget; False, and nothing taken, if they are not in it."""
        with self._lock:
            now = time.monotonic()
            added = max(0.0, now + seconds - max(now, self._waiting_until))
            if added > self._left:
                return False
            self._left -= added
            self._waiting_until = max(self._waiting_until, now + seconds)
            return True


def choose_delay(*, attempt: int, base: float, cap: float, asked: float | None) -> float:
    """Return the seconds to wait after failed ``attempt`` (1, 2, …).

    Exponential backoff with full jitter: anything between nothing and ``base`` · 2^(attempt-1), at most ``cap``; never
    less than the CRM asked for.
    """
    backoff = random.uniform(0, min(cap, base * 2 ** (attempt - 1)))  # noqa: S311 - spreads load, guards nothing
    return max(backoff, asked or 0.0)


def parse_retry_after(value: str | None, *, answered_at: datetime | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header given as a number or a date; None if absent or unreadable.

    A date is counted from the answer's own ``Date``, so that a clock that is wrong here does not matter.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = parse_http_date(text)
    if moment is None:
        return None
    return max(0.0, (moment - (answered_at or datetime.now(UTC))).total_seconds())


def parse_http_date(value: str | None) -> datetime | None:
    """Return the moment in a ``Date`` header, in UTC, or None if it is absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
