"""Sets the time zone of each request to the one of the user who is logged in."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from ctms.accounts.models import User


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
