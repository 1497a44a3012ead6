"""API tokens: a user creates one for themselves, sees it once, and only its digest is stored.

A token has 256 random bits, so its digest needs neither salt nor a slow hash: nobody can guess it, and the time that a
look-up by digest takes reveals nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Protocol

from django.db.models import QuerySet

from ctms.accounts.models import ApiToken, TokenScope, User
from ctms.accounts.reach import is_within, read_reach
from ctms.core.clock import get_now
from ctms.core.errors import VaultError

PREFIX = "vault_"  # so that secret scanners recognise a token in repositories and logs
LONGEST_DAYS = 365
MUST_CHANGE = "The user of this token has to choose a new password first: log in to the Vault, which asks for it."
_RANDOM_BYTES = 32
_NOTICE = dt.timedelta(days=14)  # how long before the end the owner is told; of a short-lived token, half of its life
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)


class InvalidTokenError(VaultError):
    """The token is not valid; the message says why."""


class BearerToken(Protocol):
    """What the API asks of a token, whoever issued it."""

    user: User
    scope: str


# Finds a token by its text, and is given the address that it came from. Raises InvalidTokenError.
TokenFinder = Callable[[str, str], BearerToken]
_finders: dict[str, TokenFinder] = {}


def register_token_finder(*, prefix: str, find: TokenFinder) -> None:
    """Let the API accept tokens that another app issues, whose texts begin with `prefix`. Called from `ready()`."""
    _finders[prefix] = find


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """What a token is limited to: objects by API name, studies by uid, networks as texts; None is no limit."""

    object_names: Sequence[str] | None = None
    study_uids: Sequence[str] | None = None
    networks: Sequence[str] | None = None


NO_LIMITS = TokenLimits()


def build_token(
    *, user: User, name: str, days: int, scope: str = TokenScope.READ, limits: TokenLimits = NO_LIMITS
) -> tuple[ApiToken, str]:
    """Return a token of the user that is not saved yet, and its text, which is not stored.

    Raises ValueError unless it expires within a year.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"A token expires after 1 to {LONGEST_DAYS} days, not after {days}.")
    text = build_token_text(PREFIX)
    expires_at = get_now() + dt.timedelta(days=days)
    token = ApiToken(
        user=user,
        name=name,
        scope=scope,
        digest=digest_token(text) if limits == NO_LIMITS else _digest_limited(text),
        expires_at=expires_at,
        notice_due_at=expires_at - min(_NOTICE, dt.timedelta(days=days) / 2),
        **{name: list(value) if value is not None else None for name, value in asdict(limits).items()},
    )
    return token, text


def list_tokens(*, user: User) -> QuerySet[ApiToken]:
    """Return the tokens of a user that are not revoked, newest first, including expired ones."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True)


def find_bearer(text: str, *, address: str) -> BearerToken:
    """Return the token of this text, whichever app issued it, used from `address`. Raises InvalidTokenError."""
    for prefix, find in _finders.items():
        if text.startswith(prefix):
            return find(text, address)
    return find_token(text, address=address)


def find_token(text: str, *, address: str = "") -> ApiToken:
    """Return the token used from `address`, with its user, whom it limits, and note its use at most once a minute.

    An empty address is not known, and in no network. Raises InvalidTokenError.
    """
    digests = (digest_token(text), _digest_limited(text))
    token = ApiToken.objects.select_related("user__security_profile").filter(digest__in=digests).first()
    if token is None:
        raise InvalidTokenError("This token is unknown. Create one on your profile page.")
    if not token.user.is_active:
        raise InvalidTokenError("The user of this token is inactive. Ask an admin.")
    now = get_now()
    if token.revoked_at is not None:
        raise InvalidTokenError("This token was revoked. Create another on your profile page.")
    if token.expires_at <= now:
        raise InvalidTokenError("This token has expired. Create another on your profile page.")
    if token.user.has_ended:
        raise InvalidTokenError(token.user.end_explanation)
    if token.user.must_change_password:
        raise InvalidTokenError(MUST_CHANGE)
    if not is_within(address=address, networks=token.networks):
        raise InvalidTokenError("This token is not taken from the address that it came from. Ask an admin.")
    token.user.reach = read_reach(token_name=token.name, object_names=token.object_names, study_uids=token.study_uids)
    if token.last_used_at is None or token.last_used_at <= now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def build_token_text(prefix: str) -> str:
    """Return a new text of 256 random bits, 43 characters after the prefix."""
    return prefix + secrets.token_urlsafe(_RANDOM_BYTES)


def digest_token(text: str) -> str:
    """Return the digest under which the token of this text is stored."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def _digest_limited(text: str) -> str:
    """Return the digest of a token with limits: of another kind, for release 0.2 knows no limits and must find none."""
    return hashlib.blake2s(text.encode("utf-8", "surrogateescape")).hexdigest()
