"""Calendar feeds: the secret address at which a calendar program reads the calendar of a user.

Only the digest of the secret is stored; see `tokens` for why it needs no salt. Calendar programs know no password: the
address is all that they have.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from ctms.accounts.models import CalendarFeed, User
from ctms.core.clock import get_now

_RANDOM_BYTES = 32
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)


def build_feed(*, user: User, contents: str) -> tuple[CalendarFeed, str]:
    """Return a feed of the user that is not saved yet, and its secret, which is not stored."""
    secret = secrets.token_urlsafe(_RANDOM_BYTES)
    return CalendarFeed(user=user, contents=contents, digest=_digest(secret)), secret


def find_current_feed(user: User) -> CalendarFeed | None:
    """Return the feed of a user that is not revoked; None if there is none."""
    return CalendarFeed.objects.filter(user=user, revoked_at__isnull=True).first()


def find_feed(secret: str) -> CalendarFeed | None:
    """Return the feed with this secret, with its user, if it may be read now, and note its use.

    None if there is none, if it was revoked, or if its user could not log in: nobody learns which.
    """
    feeds = CalendarFeed.objects.select_related("user__security_profile")
    feed = feeds.filter(digest=_digest(secret), revoked_at__isnull=True).first()
    if feed is None or not feed.user.is_active or feed.user.has_ended or feed.user.must_change_password:
        return None
    now = get_now()
    if feed.last_used_at is None or feed.last_used_at <= now - _USE_IS_NOTED_EVERY:
        CalendarFeed.objects.filter(pk=feed.pk).update(last_used_at=now)
    return feed


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
