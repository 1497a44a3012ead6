"""API tokens: a user creates one for themselves, sees it once, and only its digest is stored.

A token has 256 random bits, so its digest needs neither salt nor a slow hash: nobody can guess it, and the time that a
look-up by digest takes reveals nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db.models import QuerySet

from ctms.accounts.models import ApiToken, TokenScope, User
from ctms.core.clock import get_now
from ctms.core.errors import VaultError

PREFIX = "vault_"  # so that secret scanners recognise a token in repositories and logs
LONGEST_DAYS = 365
_RANDOM_BYTES = 32
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)


class InvalidTokenError(VaultError):
    """The token is not valid; the message says why."""


def build_token(*, user: User, name: str, days: int, scope: str = TokenScope.READ) -> tuple[ApiToken, str]:
    """Return a token of the user that is not saved yet, and its text, which is not stored.

    Raises ValueError unless it expires within a year.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"A token expires after 1 to {LONGEST_DAYS} days, not after {days}.")
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    expires_at = get_now() + dt.timedelta(days=days)
    return ApiToken(user=user, name=name, scope=scope, digest=_digest(text), expires_at=expires_at), text


def list_tokens(*, user: User) -> QuerySet[ApiToken]:
    """Return the tokens of a user that are not revoked, newest first, including expired ones."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True)


def find_token(text: str) -> ApiToken:
    """Return the token, with its user, and note its use at most once a minute. Raises InvalidTokenError."""
    token = ApiToken.objects.select_related("user__security_profile").filter(digest=_digest(text)).first()
    if token is None:
        raise InvalidTokenError("This token is unknown. Create one on your profile page.")
    if not token.user.is_active:
        raise InvalidTokenError("The user of this token is inactive. Ask an admin.")
    now = get_now()
    if token.revoked_at is not None:
        raise InvalidTokenError("This token was revoked. Create another on your profile page.")
    if token.expires_at <= now:
        raise InvalidTokenError("This token has expired. Create another on your profile page.")
    if not token.user.is_active:
        raise InvalidTokenError("The user of this token is inactive. Ask an admin.")
    if token.user.has_ended:
        raise InvalidTokenError(token.user.end_explanation)
    if token.last_used_at is None or token.last_used_at <= now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
