"""What each request of a user does beside its page: it uses the session, and has the user's own time zone."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils import timezone

from ctms.accounts.models import User
from ctms.accounts.sessions import BACKGROUND_HEADER, SessionStore, note_use


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
                note_use(request.session)
            return response
        if request.user.is_authenticated:
            return self.get_response(request)
        page = urlsplit(request.headers.get("HX-Current-URL", ""))
        login = redirect_to_login(page._replace(scheme="", netloc="").geturl() or request.path)
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": login.url})


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
