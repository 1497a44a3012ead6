"""Requests that are refused before a page has read them: too large, malformed, or for another host."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    RequestDataTooBig,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.http.request import UnreadablePostError
from django.template.loader import render_to_string

_MEGABYTE = 1024 * 1024
_PIECE = 64 * 1024
_MOST_DISCARDED = 64 * _MEGABYTE


class RequestBodyMiddleware:
    """Refuses a body that is too large, and reads what an answer left unread of the body of any refused request.

    gunicorn closes the connection if more than a little of the body is left, and the browser then shows a broken
    connection instead of the answer.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if _read_length(request) > settings.LARGEST_REQUEST:
            response: HttpResponseBase = show_bad_request(request, RequestDataTooBig())
        else:
            response = self._get_response(request)
        if response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
            _discard_body(request)
        return response


def show_bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say why a request was refused, and what to do: a page, or for the API a problem as of RFC 9457."""
    status, explanation = _explain(exception)
    if request.path_info.startswith("/api/"):
        content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": explanation}
        return JsonResponse(content, status=status.value, content_type="application/problem+json")
    # Without the request, whose host may be the reason; the page needs neither it nor a user.
    return HttpResponse(
        render_to_string("400.html", {"title": _TITLES[status], "explanation": explanation}), status=status.value
    )


_TITLES = {
    HTTPStatus.BAD_REQUEST: "This was not understood",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "This is too large",
}


def _explain(error: Exception) -> tuple[HTTPStatus, str]:
    if isinstance(error, RequestDataTooBig):
        typed = (settings.DATA_UPLOAD_MAX_MEMORY_SIZE or 0) / _MEGABYTE
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, (
            f"Nothing was saved: what was sent is larger than the Vault takes, which is {typed:g} MB of typed text and "
            f"{settings.LARGEST_REQUEST // _MEGABYTE} MB with files. Go back, where what you typed still is, and send "
            "less."
        )
    if isinstance(error, TooManyFieldsSent):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, (
            f"Nothing was saved: more than {settings.DATA_UPLOAD_MAX_NUMBER_FIELDS:,} fields were sent. Go back, and "
            "send fewer rows at a time."
        )
    if isinstance(error, TooManyFilesSent):
        return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, (
            f"Nothing was saved: more than {settings.DATA_UPLOAD_MAX_NUMBER_FILES:,} files were sent. Send fewer."
        )
    if isinstance(error, DisallowedHost):
        return HTTPStatus.BAD_REQUEST, f"The Vault is not at this address. Open {settings.VAULT_BASE_URL} instead."
    if isinstance(error, BadRequest) and str(error):
        return HTTPStatus.BAD_REQUEST, str(error)
    return HTTPStatus.BAD_REQUEST, (
        "Nothing was saved: the request is damaged, or was not made by a page of the Vault. Reload the page, and try "
        "again."
    )


def _read_length(request: HttpRequest) -> int:
    """Return the declared length of the body in bytes; 0 if there is none, or nothing that is a number."""
    text = request.META.get("CONTENT_LENGTH") or ""
    return int(text) if text.isdecimal() and len(text) <= 18 else 0  # noqa: PLR2004  digits that a number of bytes may have


def _discard_body(request: HttpRequest) -> None:
    left = _MOST_DISCARDED
    try:
        while left > 0 and (piece := request.read(_PIECE)):
            left -= len(piece)
    except UnreadablePostError:  # whoever sent it has gone
        return
