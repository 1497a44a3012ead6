"""What happens in each request: whose address it has, whether its user may go on, the time zone, what is noted."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth import logout
from django.contrib.auth.views import redirect_to_login
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from structlog import get_logger
from structlog.contextvars import bound_contextvars

from ctms.accounts.addresses import get_client_address, is_trusted_proxy
from ctms.accounts.models import User
from ctms.accounts.page_views import note_page_view
from ctms.accounts.second_factor import must_set_up
from ctms.accounts.sessions import BACKGROUND_HEADER, SessionStore, note_use

log = get_logger(__name__)

_OF_PROXIES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT", "HTTP_X_REQUEST_ID")


class ClientAddressMiddleware:
    """Sets `REMOTE_ADDR` to the client's address, and takes away what only a trusted proxy may say.

    It comes before all others, so that nothing else – logs, redirects to https, lock-out, audit trail – has to know
    about proxies, and a header that a client made up reaches none of them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_trusted_proxy(request):
            for name in _OF_PROXIES:
                request.META.pop(name, None)
        address = get_client_address(request)
        request.META["REMOTE_ADDR"] = address
        request.META.pop("HTTP_X_FORWARDED_FOR", None)
        with bound_contextvars(ip=address):
            return self._get_response(request)


class SessionUseMiddleware:
    """Notes that a session is used, but for requests that a page makes by itself.

    Where the session has ended, such a request is told to lead the whole page to the log-in; otherwise the log-in page
    would appear in the part of the page that was to be replaced.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if BACKGROUND_HEADER not in request.headers:
            response = self.get_response(request)
            if isinstance(request.session, SessionStore):
                try:
                    note_use(request.session)
                except DatabaseError as error:  # the session ends earlier; the page has been made
                    log.warning("session_use_not_noted", error=type(error).__name__)
            return response
        if request.user.is_authenticated:
            return self.get_response(request)
        login = redirect_to_login(_read_page(request) or request.path)
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": login.url})


def _read_page(request: HttpRequest) -> str:
    """Return path and query of the page that sent a request; empty if it does not say so, or no browser wrote it."""
    try:
        return urlsplit(request.headers.get("HX-Current-URL", ""))._replace(scheme="", netloc="").geturl()
    except ValueError:
        return ""


class PasswordChangeMiddleware:
    """Lets whoever logged in with a password that an admin set go nowhere but to the page that changes it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        change = reverse("change_password")
        if not getattr(request.user, "must_change_password", False) or request.path in _list_open_paths():
            return self.get_response(request)
        if request.path_info.startswith("/api/"):
            problem = {
                "type": "about:blank",
                "title": HTTPStatus.FORBIDDEN.phrase,
                "status": HTTPStatus.FORBIDDEN,
                "detail": "An admin set your password. Choose one of your own in the browser first.",
            }
            return JsonResponse(problem, status=HTTPStatus.FORBIDDEN, content_type="application/problem+json")
        if "HX-Request" in request.headers:
            return HttpResponse(status=HTTPStatus.FORBIDDEN, headers={"HX-Redirect": change})
        return HttpResponseRedirect(change)


def _list_open_paths() -> list[str]:
    names = ("change_password", "login", "logout", "invitation", "health")
    return [reverse(name) for name in names]


class AccountEndMiddleware:
    """Logs out a user whose account has ended since the log-in, and says so instead of answering the request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = request.user
        if not isinstance(user, User) or not user.has_ended:
            return self.get_response(request)
        logout(request)
        if request.path.startswith(reverse("api_nothing", args=("",))):
            problem = {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": user.end_explanation}
            return JsonResponse(problem, status=403, content_type="application/problem+json")
        return render(request, "403.html", {"exception": user.end_explanation}, status=403)


class PageViewMiddleware:
    """Notes what is looked at by users whose profile says so. What cannot be noted is not shown."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        note_page_view(request=request, response=response)
        return response


class UserTimeZoneMiddleware:
    """Times are shown, typed and compared in the user's own time zone; UTC where nobody is logged in.

    The admin console is in UTC for everybody, as schedules, logs and e-mails are: admins of several countries compare
    what they see there.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_console = request.path.startswith(reverse("admin:index"))
        with timezone.override(None if is_console else find_zone(getattr(request.user, "time_zone", ""))):
            return self.get_response(request)


class SecondFactorMiddleware:
    """Leads users who have to set up a second factor to the page where they do, whatever page they ask for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.user.is_authenticated and must_set_up(request.session):
            page = reverse("second_factor")
            if request.path not in (page, reverse("logout"), reverse("change_password")):
                return HttpResponseRedirect(page)
        return self._get_response(request)


def activate_time_zone(user: User) -> None:
    """Use the user's time zone until the request ends; for users that the API recognises after the middleware."""
    zone = find_zone(user.time_zone)
    if zone is not None:
        timezone.activate(zone)


def find_zone(name: str) -> ZoneInfo | None:
    """Return the time zone of that name; None, which means UTC, if the name is empty or unknown."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
