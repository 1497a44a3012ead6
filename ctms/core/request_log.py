"""One line for each request, and the id by which its lines, its answer and its error page are found together."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

import structlog
from django.http import HttpRequest, HttpResponseBase
from django.utils.functional import SimpleLazyObject
from structlog.contextvars import bound_contextvars, get_contextvars

log = structlog.get_logger(__name__)

REQUEST_ID_HEADER: Final = "X-Request-ID"
# They ask every few seconds, and are not logged.
_PROBES: Final = frozenset({"/healthz", "/livez", "/readyz", "/metrics"})
_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")


class RequestLogMiddleware:
    """Gives each request an id, and logs method, path, status, milliseconds and the user's key: no query, no name.

    A trusted proxy may say the id (`ClientAddressMiddleware` takes away that of others): its own log has it then, too.
    It stands outside all that may refuse a request. Probes of health are not logged.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get(REQUEST_ID_HEADER, "")
        request_id = given if _ID.fullmatch(given) else uuid.uuid4().hex
        started = time.monotonic()
        with bound_contextvars(request_id=request_id):
            response = self._get_response(request)
            response.headers[REQUEST_ID_HEADER] = request_id
            if request.path_info not in _PROBES:
                log.info(
                    "request",
                    method=request.method,
                    path=request.path,
                    status=response.status_code,
                    ms=round((time.monotonic() - started) * 1000),
                    user=_find_user(request),
                )
        return response


def get_request_id() -> str:
    """Return the id of the request that is being answered; empty outside of one."""
    return str(get_contextvars().get("request_id", ""))


def _find_user(request: HttpRequest) -> Any:
    """Return the key of the user if the request has asked for it; it reads nothing for the log alone."""
    user = request.__dict__.get("user")
    if type(user) is SimpleLazyObject:  # that of a session, which is known once a page has asked for it
        user = getattr(request, "_cached_user", None)
    return getattr(user, "pk", None)
