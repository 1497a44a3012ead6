"""Forms that were sent while nobody was logged in, or from a page opened before the last log-in: nothing typed is lost.

The log-in page carries what was sent, and after it the user sends it on with one click. Only what one of our own pages
sent is carried: the check against forged requests passed, or the browser says that it comes from here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth import decorators
from django.contrib.auth.forms import AuthenticationForm
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers

SENT = "sent"
R = TypeVar("R", bound=HttpResponseBase)

_TOKEN = "csrfmiddlewaretoken"  # noqa: S105  the name of Django's field


def login_required(view: Callable[..., R]) -> Callable[..., R | HttpResponse]:
    """As Django's, but a form that was filled in is not thrown away: it comes back after the log-in."""
    guarded: Callable[..., R] = decorators.login_required(view)

    @wraps(view)
    def check(request: HttpRequest, *args: Any, **kwargs: Any) -> R | HttpResponse:
        if not request.user.is_authenticated and is_form_sent(request):
            return show_log_in(request, url=request.get_full_path(), sent=pack_sent(request))
        return guarded(request, *args, **kwargs)

    check.carries_sent = True  # type: ignore[attr-defined]
    return check


def carries_sent(request: HttpRequest) -> bool:
    """Whether the view asked for is one that `login_required` guards; others are sent passwords, too."""
    match = request.resolver_match
    return match is not None and getattr(match.func, "carries_sent", False)


def is_form_sent(request: HttpRequest) -> bool:
    """Whether a browser sent a form as a page. Scripts say themselves what became of theirs; files cannot be kept."""
    by_script = "HX-Request" in request.headers or "application/json" in request.headers.get("Accept", "")
    return request.method == "POST" and _TOKEN in request.POST and not request.FILES and not by_script


def pack_sent(request: HttpRequest) -> str:
    """What was sent, as the one field in which the log-in page carries it."""
    sent = request.POST.copy()
    sent.pop(_TOKEN, None)
    return sent.urlencode()


def show_log_in(request: HttpRequest, *, url: str, sent: str | None) -> HttpResponse:
    """The log-in page that carries what was sent to `url`; None: nothing was."""
    context = {"form": AuthenticationForm(request), "next": url, SENT: sent}
    response = render(request, "registration/login.html", context)
    add_never_cache_headers(response)
    return response


def show_resend(request: HttpRequest, *, url: str, sent: str) -> HttpResponse:
    """Asks to send what was carried to `url`."""
    fields = [(name, text) for name, texts in QueryDict(sent).lists() for text in texts]
    response = render(request, "registration/resend.html", {"url": url, "fields": fields})
    add_never_cache_headers(response)
    return response
