"""Sessions of browsers, as rows that name their user: they can be listed and ended, and end by themselves.

A session ends when it was not used for `SESSION_IDLE_MINUTES`, and at the latest `SESSION_LIFETIME_HOURS` after the
log-in. The row holds that moment, and Django finds no session after it, so nothing else has to be compared. Using a
session moves the moment, at most once a minute; `SessionStore` is the setting `SESSION_ENGINE`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.base import SessionBase
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.db.models import QuerySet
from django.http import HttpRequest

from ctms.accounts.models import LastUse, User, UserSession
from ctms.core.clock import get_now

# A page that asks for news by itself sends this header: that nobody looks at it must not keep a session alive.
BACKGROUND_HEADER = "Vault-Background"
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)
_JUST = dt.timedelta(minutes=5)
_PREVIOUS_USE = "previous_use"  # key of the session's data: when the user was here before this session
_LOG_IN = "log_in"  # key of the session's data: when, from where and by what browser the user logged in
_BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari"}
_SYSTEMS = {
    "Windows": "Windows",
    "Android": "Android",
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Mac OS": "macOS",
    "Linux": "Linux",
}


class SessionStore(DatabaseStore):
    """Django's sessions in the database, with the columns of `UserSession`."""

    # The row as it was read in this request; None for a new session.
    row: UserSession | None = None

    @classmethod
    def get_model_class(cls) -> type[UserSession]:
        return UserSession

    def create_model_instance(self, data: dict[str, Any]) -> UserSession:
        row = super().create_model_instance(data)
        if not isinstance(row, UserSession):
            raise TypeError("Sessions are rows of UserSession; see get_model_class.")
        now, log_in = get_now(), data.get(_LOG_IN, {})
        row.user_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        row.begun_at = dt.datetime.fromisoformat(log_in["at"]) if log_in else now
        row.address, row.browser = log_in.get("address", ""), log_in.get("browser", "")
        row.last_used_at, row.expire_date = now, _find_end(begun_at=row.begun_at, now=now)
        return row

    def _get_session_from_db(self) -> UserSession | None:
        self.row = super()._get_session_from_db()  # type: ignore[misc]  # the stub does not have it
        return self.row


def _find_end(*, begun_at: dt.datetime, now: dt.datetime) -> dt.datetime:
    return min(
        now + dt.timedelta(minutes=settings.SESSION_IDLE_MINUTES),
        begun_at + dt.timedelta(hours=settings.SESSION_LIFETIME_HOURS),
    )


def note_log_in(request: HttpRequest, user: User, **_kwargs: Any) -> None:
    """Keep with the session when, from where and by what browser the user logged in; receives `user_logged_in`.

    It also keeps when the user was here before, in whatever session.

    Ended sessions are removed, so that the table holds no more than are used.
    """
    UserSession.objects.filter(expire_date__lte=get_now()).delete()
    before = LastUse.objects.filter(user=user).values_list("used_at", flat=True).first()
    _note_last_use(user_id=user.pk, now=get_now())
    request.session[_PREVIOUS_USE] = before.isoformat() if before is not None else ""
    request.session[_LOG_IN] = {
        "at": get_now().isoformat(),
        "address": request.META.get("REMOTE_ADDR", ""),
        "browser": describe_browser(request.META),
    }


def _note_last_use(*, user_id: int, now: dt.datetime) -> None:
    LastUse.objects.bulk_create(
        [LastUse(user_id=user_id, used_at=now)],
        update_conflicts=True,
        unique_fields=["user"],
        update_fields=["used_at"],
    )


def find_previous_use(session: SessionBase) -> dt.datetime | None:
    """Return when the user used the Vault last before this session, give or take a minute; None if nobody knows."""
    text = session.get(_PREVIOUS_USE, "")
    return dt.datetime.fromisoformat(text) if text else None


def has_just_logged_in(session: SessionBase) -> bool:
    """Whether the user of a session logged in a few minutes ago, so that it is not somebody else at an open page."""
    log_in = session.get(_LOG_IN)
    return log_in is not None and get_now() - dt.datetime.fromisoformat(log_in["at"]) < _JUST


def note_use(session: SessionStore) -> None:
    """Note that the session was used, at most once a minute, and move its end."""
    row, now = session.row, get_now()
    if row is not None and row.user_id is not None and now - row.last_used_at >= _USE_IS_NOTED_EVERY:
        end = _find_end(begun_at=row.begun_at, now=now)
        UserSession.objects.filter(pk=row.pk).update(last_used_at=now, expire_date=end)
        _note_last_use(user_id=row.user_id, now=now)


def list_sessions(*, user: User) -> QuerySet[UserSession]:
    """Return the sessions of a user that have not ended, the one that was used last first."""
    return UserSession.objects.filter(user=user, expire_date__gt=get_now()).order_by("-last_used_at", "session_key")


def describe_browser(headers: Mapping[str, Any]) -> str:
    """Return e.g. `Firefox on Windows`, as far as the browser says it. `headers` are those of `request.META`."""
    agent = str(headers.get("HTTP_USER_AGENT", ""))
    browser = next((name for mark, name in _BROWSERS.items() if mark in agent), "Another browser" if agent else "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in agent), "")
    return f"{browser} on {system}" if browser and system else browser
