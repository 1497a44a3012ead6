"""Limits how often somebody may ask for the same kind of thing, counted in Django's cache: in production, in Redis.

Times are divided into windows, and requests of a window counted. A cache that does not answer limits nothing: pages are
worth more than counts, and what must hold without it (the lock-out) is in the database.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

import structlog
from django.conf import settings
from django.core.cache import BaseCache, cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from redis.exceptions import RedisError

from ctms.core.errors import VaultError
from ctms.core.rates import Rate

log = structlog.get_logger(__name__)

# How long a cache that did not answer is not asked: otherwise every request would wait for it.
_PAUSE = 10.0


class Allowance(NamedTuple):
    """What is left of a rate: `remaining` requests until its window ends in so many `seconds`."""

    rate: Rate
    remaining: int
    seconds: int


class TooManyRequestsError(VaultError):
    """Refused for now; `seconds` is how long to wait."""

    def __init__(self, message: str, *, seconds: int) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(slots=True, kw_only=True)
class RequestCounter:
    """Counts requests in a cache, and leaves it alone for a while after it did not answer."""

    cache: BaseCache
    get_time: Callable[[], float] = time.time
    get_uptime: Callable[[], float] = time.monotonic
    _paused_until: float = -math.inf

    def count(self, *, scope: str, key: str) -> Allowance | None:
        """Count a request of `key`, e.g. a user; return what is left, None without a limit or a cache that counts.

        Raises TooManyRequestsError if it is past the rate of its scope.
        """
        rate: Rate | None = settings.RATE_LIMITS[scope]
        if rate is None or self.get_uptime() < self._paused_until:
            return None
        now = self.get_time()
        window = int(now // rate.seconds)
        try:
            number = self._increment(f"rate:{scope}:{key}:{window}", seconds=rate.seconds)
        except (RedisError, OSError) as error:
            self._paused_until = self.get_uptime() + _PAUSE
            log.warning("requests_not_counted", scope=scope, error=type(error).__name__)
            return None
        wait = max(1, math.ceil((window + 1) * rate.seconds - now))
        if number > rate.requests:
            raise TooManyRequestsError(
                f"Too many requests: at most {rate} are answered. "
                f"Try again in {wait:,} second{'' if wait == 1 else 's'}.",
                seconds=wait,
            )
        return Allowance(rate=rate, remaining=rate.requests - number, seconds=wait)

    def _increment(self, key: str, *, seconds: int) -> int:
        self.cache.add(key, 0, timeout=2 * seconds)
        try:
            return int(self.cache.incr(key))
        except ValueError:  # the cache has dropped the key since the line before
            return 1


_counter = RequestCounter(cache=cache)


def count_request(*, scope: str, key: object) -> Allowance | None:
    """Count a request for the rate of `scope` in `RATE_LIMITS`; return what is left, None if nothing limits it.

    Raises TooManyRequestsError if it is one too many.
    """
    return _counter.count(scope=scope, key=str(key))


class TooManyRequestsMiddleware:
    """Answers a request that was one too many with a page that says how long to wait."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page; None for any other error."""
        if not isinstance(error, TooManyRequestsError):
            return None
        status = HTTPStatus.TOO_MANY_REQUESTS.value
        response = render(request, "429.html", {"explanation": str(error)}, status=status)
        response.headers["Retry-After"] = str(error.seconds)
        return response
