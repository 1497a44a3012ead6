"""Invitations: a link by which a user sets a password, once, and within some days.

Only the digest of the link's text is stored, with the user, so a new invitation replaces the one before. The text has
256 random bits; see `tokens` for why its digest needs no salt.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.conf import settings
from django.db import models

from ctms.accounts.models import User
from ctms.core.clock import get_now

_RANDOM_BYTES = 32


def store_invitation(user: User) -> str:
    """Make an invitation of the user, in place of the one before; return its text, which is not stored."""
    text = secrets.token_urlsafe(_RANDOM_BYTES)
    user.invitation_digest = _digest(text)
    user.invited_until = get_now() + dt.timedelta(days=settings.INVITATION_DAYS)
    models.QuerySet.update(
        User.objects.filter(pk=user.pk), invitation_digest=user.invitation_digest, invited_until=user.invited_until
    )
    return text


def find_invited(text: str, *, locks: bool = False) -> User | None:
    """Return the user whose invitation has this text; None if it was used, replaced or has expired.

    With `locks` nobody else finds it until the transaction ends, so that it is used once.
    """
    users = User.objects.select_for_update() if locks else User.objects.all()
    return users.filter(invitation_digest=_digest(text), invited_until__gt=get_now(), is_active=True).first()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
