"""Sets the address of each request to that of its client, and its time zone to the one of its user."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from structlog.contextvars import bound_contextvars

from ctms.accounts.addresses import get_client_address, is_trusted_proxy
from ctms.accounts.models import User
from ctms.accounts.second_factor import must_set_up


class ClientAddressMiddleware:
    """Sets `REMOTE_ADDR` to the client's address, and takes away what only a trusted proxy may say.

    It comes before all others, so that nothing else – logs, redirects to https, lock-out, audit trail – has to know
    about proxies, and a header that a client made up reaches none of them.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not is_trusted_proxy(request):
            for name in ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST", "HTTP_X_FORWARDED_PORT"):
                request.META.pop(name, None)
        address = get_client_address(request)
        request.META["REMOTE_ADDR"] = address
        request.META.pop("HTTP_X_FORWARDED_FOR", None)
        with bound_contextvars(ip=address):
            return self._get_response(request)


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
