"""Headers of the API's answers: how many calls are left, and which web applications may read them."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils.cache import patch_vary_headers

from ctms.records.api import throttling

_PATH = "/api/"
_ORIGIN, _ALLOWED_ORIGIN = "Origin", "Access-Control-Allow-Origin"
# Without those that come with a session: a page of another origin acts with a token alone.
_SENT = ("Accept", "Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match", "X-Change-Reason")
_READ = (
    "Content-Location",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Retry-After",
    "X-Request-ID",
    *throttling.HEADERS,
)
_PREFLIGHT = {
    "Access-Control-Allow-Methods": "GET, HEAD, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": ", ".join(_SENT),
    "Access-Control-Max-Age": "600",
}


class ApiHeadersMiddleware:
    """Adds headers to answers of the API, to refusals of other middleware too, and answers what browsers ask first.

    Browsers let pages of the origins in `CORS_ALLOWED_ORIGINS` read the answers. That they may send credentials is
    never said, so that no session of the user is used.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith(_PATH):
            return self._get_response(request)
        origin = request.headers.get(_ORIGIN, "")
        is_open = bool(origin) and origin in settings.CORS_ALLOWED_ORIGINS
        is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        response = (
            HttpResponse(status=HTTPStatus.NO_CONTENT, headers=_PREFLIGHT)
            if is_open and is_preflight
            else self._get_response(request)
        )
        for name, value in throttling.list_headers(request).items():
            response.headers[name] = value
        if settings.CORS_ALLOWED_ORIGINS:
            patch_vary_headers(response, (_ORIGIN,))
        if is_open:
            response.headers[_ALLOWED_ORIGIN] = origin
            response.headers["Access-Control-Expose-Headers"] = ", ".join(_READ)
        return response
