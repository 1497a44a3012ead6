"""Lets nothing be saved while the Vault is under maintenance, and keeps what was typed."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers

from ctms.accounts.login_resume import is_form_sent, pack_sent
from ctms.core.standing import MAINTENANCE, HeldError, read_standing

RETRY_SECONDS = 120
_READING = ("GET", "HEAD", "OPTIONS", "TRACE")
# Logging in and out is no work in the Vault; and an admin has to be able to end the maintenance.
_OPEN = {
    "login",
    "login_code",
    "logout",
    "admin:login",
    "admin:logout",
    "admin:machine_installation_maintenance",
    "admin:machine_installation_end_maintenance",
}
# What is not put into a page again.
_SECRET = ("password", "secret", "private_key", "consumer_key")
_NOTHING_SAVED = "Nothing was saved, and what you typed is kept. Send it again when the maintenance has ended."


class MaintenanceMiddleware:
    """Refuses what is no reading during maintenance: 503, with `Retry-After`. Reads the standing once a request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self,
        request: HttpRequest,
        view: Callable[..., Any],  # noqa: ARG002  Django's signature
        args: Any,  # noqa: ARG002
        kwargs: Any,  # noqa: ARG002
    ) -> HttpResponse | None:
        """Return the refusal; None lets the request go on."""
        match = request.resolver_match
        if match is None or match.view_name == "health":
            return None
        request.standing = standing = read_standing()  # type: ignore[attr-defined]
        if not standing.is_read_only or request.method in _READING or match.view_name in _OPEN:
            return None
        return _refuse(request, f"{MAINTENANCE} {standing.message}".strip(), kept=_NOTHING_SAVED)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return the page for what cannot be done now; None for any other error."""
        return _refuse(request, str(error), kept="") if isinstance(error, HeldError) else None


def _refuse(request: HttpRequest, explanation: str, *, kept: str) -> HttpResponse:
    status = HTTPStatus.SERVICE_UNAVAILABLE
    if request.path_info.startswith("/api/") or _is_by_script(request):
        content = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": explanation}
        response: HttpResponse = JsonResponse(content, status=status.value, content_type="application/problem+json")
    else:
        fields = _list_typed(request) if kept else []
        context = {"explanation": explanation, "kept": kept, "url": request.get_full_path(), "fields": fields}
        response = render(request, "503.html", context, status=status.value)
    add_never_cache_headers(response)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _is_by_script(request: HttpRequest) -> bool:
    return "HX-Request" in request.headers or "application/json" in request.headers.get("Accept", "")


def _list_typed(request: HttpRequest) -> list[tuple[str, str]]:
    """Return the fields of a form that can be sent again; none if a file or a secret is among them."""
    if not is_form_sent(request):
        return []
    fields = [(name, text) for name, texts in QueryDict(pack_sent(request)).lists() for text in texts]
    has_secret = any(text and any(each in name for each in _SECRET) for name, text in fields)
    return [] if has_secret else fields
