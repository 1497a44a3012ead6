"""What a request that only reads asks the database once, however often it needs it; forgotten when the request ends."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from contextvars import ContextVar
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse

ValueT = TypeVar("ValueT")

_memory: ContextVar[dict[Hashable, Any] | None] = ContextVar("request_memory", default=None)


class RequestMemoryMiddleware:
    """Gives each request that only reads a memory of its own. One that writes has none, nor has a job."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        token = _memory.set({} if request.method in ("GET", "HEAD") else None)
        try:
            return self.get_response(request)
        finally:
            _memory.reset(token)


def remember(key: Hashable, read: Callable[[], ValueT]) -> ValueT:
    """Return what `read` returns, or what it returned for this key before in the same request."""
    memory = _memory.get()
    if memory is None:
        return read()
    if key not in memory:
        memory[key] = read()
    value: ValueT = memory[key]
    return value
