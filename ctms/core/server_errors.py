"""The answer to a request that failed: a page, or for the API a problem as of RFC 9457."""

from __future__ import annotations

import sys
from http import HTTPStatus

from django.contrib.auth.models import AnonymousUser
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

_RETRY_AFTER = "10"  # seconds
_NO_DATABASE = (
    "The Vault cannot reach its database at the moment; nothing was saved. Go back to what you typed, and try again in "
    "a minute. If it lasts, tell an admin: manage.py doctor says what is wrong."
)


def show_server_error(request: HttpRequest) -> HttpResponse:
    """Answer 503 if the database is out of reach, and 500 for any other fault. Asks the database for nothing."""
    is_outage = isinstance(sys.exc_info()[1], OperationalError | InterfaceError)
    status = HTTPStatus.SERVICE_UNAVAILABLE if is_outage else HTTPStatus.INTERNAL_SERVER_ERROR
    headers = {"Retry-After": _RETRY_AFTER} if is_outage else {}
    if request.path_info.startswith("/api/"):
        detail = (
            _NO_DATABASE if is_outage else "The Vault could not answer this request. Tell an admin when it happened."
        )
        problem = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail}
        return JsonResponse(problem, status=status.value, headers=headers, content_type="application/problem+json")
    if is_outage:
        page = render_to_string("400.html", {"title": "The database does not answer", "explanation": _NO_DATABASE})
    else:
        page = render_to_string("500.html")
    return HttpResponse(page, status=status.value, headers=headers)


def forget_user(*, request: HttpRequest | None = None, **_kwargs: object) -> None:
    """Do not ask the database, which is out of reach, once more for the user of a request that failed.

    Logs name the user of every failed request; each question would wait for as long as the first. It receives
    `got_request_exception`, before the logs do.
    """
    if request is not None and isinstance(sys.exc_info()[1], OperationalError | InterfaceError):
        request.user = AnonymousUser()
