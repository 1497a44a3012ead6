"""Headers that every answer has, those of requests that were refused before a page was asked for too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

# Nothing that a page shows stays on a shared computer. Static files say for themselves how long they are kept.
_ALWAYS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class ResponseHeadersMiddleware:
    """Sets headers that an answer lacks; the outermost middleware, because others may refuse a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self._get_response(request)
        headers = _ALWAYS | {
            "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
            "X-Frame-Options": settings.X_FRAME_OPTIONS,
        }
        for name, value in headers.items():
            if value:
                response.headers.setdefault(name, value)
        return response
