"""Keeps a form that was sent while nobody was logged in, or from a page opened before the last log-in.

The log-in page holds what was sent in a hidden field; after the log-in the user sends it again with one click. Only
forms of the Vault's own pages are kept: the CSRF check passed, or the browser says that the request comes from the
same origin.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.conf import settings
from django.contrib.auth import decorators
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers

SENT = "sent"
R = TypeVar("R", bound=HttpResponseBase)

_TOKEN = "csrfmiddlewaretoken"  # noqa: S105  the name of Django's field


def login_required(view: Callable[..., R]) -> Callable[..., R | HttpResponse]:
    """Like Django's `login_required`, but a form that was sent is kept and can be sent again after the log-in."""
    guarded: Callable[..., R] = decorators.login_required(view)

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> R | HttpResponse:
        if not request.user.is_authenticated and is_form_sent(request):
            return show_log_in(request, url=request.get_full_path(), sent=pack_sent(request))
        return guarded(request, *args, **kwargs)

    check.carries_sent = True  # type: ignore[attr-defined]
    return check


def carries_sent(request: HttpRequest) -> bool:
    """Whether the requested view is decorated with `login_required`; other views may be sent passwords."""
    match = request.resolver_match
    return match is not None and getattr(match.func, "carries_sent", False)


def is_form_sent(request: HttpRequest) -> bool:
    """Whether the browser itself sent a form. Scripts show the result of their own requests; files cannot be kept."""
    by_script = "HX-Request" in request.headers or "application/json" in request.headers.get("Accept", "")
    return request.method == "POST" and _TOKEN in request.POST and not request.FILES and not by_script


def pack_sent(request: HttpRequest) -> str:
    """Return the form fields that were sent, less the CSRF token, as the text of one hidden field."""
    sent = request.POST.copy()
    sent.pop(_TOKEN, None)
    return sent.urlencode()


def show_log_in(request: HttpRequest, *, url: str, sent: str | None) -> HttpResponse:
    """Return the log-in page, holding in `sent` what was sent to `url`; None if nothing was sent."""
    context = {"form": AuthenticationForm(request), "next": url, SENT: sent, "oidc_name": get_oidc_name()}
    response = render(request, "registration/login.html", context)
    add_never_cache_headers(response)
    return response


def get_oidc_name() -> str:
    """Return what the identity provider is called on the log-in page; empty if there is none."""
    return str(settings.OIDC_NAME) if settings.OIDC_ISSUER else ""


def show_resend(request: HttpRequest, *, url: str, sent: str) -> HttpResponse:
    """Return a page on which the user sends the kept form to `url` with one click."""
    fields = [(name, text) for name, texts in QueryDict(sent).lists() for text in texts]
    response = render(request, "registration/resend.html", {"url": url, "fields": fields})
    add_never_cache_headers(response)
    return response
