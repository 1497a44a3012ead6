"""How long to wait before a call is tried again, and how long one run may wait in all."""

import random
import threading
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


class RetryBudget:
    """The seconds that one run may spend waiting; threads that wait together spend them once. Thread-safe."""

    def __init__(self, seconds: float) -> None:
        """Start with `seconds` to spend."""
        self._left = seconds
        self._waiting_until = 0.0
        self._lock = threading.Lock()

    def reserve(self, seconds: float) -> bool:
        """Take a wait of `seconds` from now out of the budget; if too little is left, take nothing and return False."""
        with self._lock:
            now = time.monotonic()
            added = max(0.0, now + seconds - max(now, self._waiting_until))
            if added > self._left:
                return False
            self._left -= added
            self._waiting_until = max(self._waiting_until, now + seconds)
            return True


def choose_delay(*, attempt: int, base: float, cap: float, asked: float | None) -> float:
    """Return the seconds to wait after the failed attempt number `attempt` (1, 2, …).

    Exponential backoff with full jitter: a random time up to `base` · 2^(attempt-1) and `cap`, but at least the time
    that the CRM `asked` for.
    """
    backoff = random.uniform(0, min(cap, base * 2 ** (attempt - 1)))  # noqa: S311  spreads load; not used for security
    return max(backoff, asked or 0.0)


def parse_retry_after(value: str | None, *, answered_at: datetime | None) -> float | None:
    """Return the seconds of a `Retry-After` header given as a number or a date; None if absent or unreadable.

    A date is compared with the answer's own `Date`, because the clock of this machine may be wrong.
    """
    text = (value or "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    moment = parse_http_date(text)
    if moment is None:
        return None
    return max(0.0, (moment - (answered_at or datetime.now(UTC))).total_seconds())


def parse_http_date(value: str | None) -> datetime | None:
    """Return the time of a `Date` header in UTC; None if it is absent or unreadable."""
    try:
        moment = parsedate_to_datetime(value or "")
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
