"""API tokens: made for and by a user, shown once, kept as a digest.

A token is 256 random bits, so that its digest needs neither salt nor a slow hash: there is nothing to guess, and
finding a token by its digest tells nothing by how long it takes.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import secrets

from django.db import transaction
from django.db.models import QuerySet

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_now
from ctms.core.errors import VaultError
from ctms.records.models import ApiToken

PREFIX = "vault_"  # so that scanners of repositories and logs recognise what must not be there
LONGEST_DAYS = 365
_RANDOM_BYTES = 32
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)
_OBJECT_NAME = "records.api_token"


class InvalidTokenError(VaultError):
    """The token opens nothing; the message says why to whoever holds it."""


def create_token(*, name: str, days: int, actor: Actor) -> tuple[ApiToken, str]:
    """A new token of the actor's user, and its text, which nobody can read again.

    Raises ValidationError if the user has a token of that name, and ValueError unless it expires within a year.
    """
    if not 1 <= days <= LONGEST_DAYS:
        raise ValueError(f"A token expires after 1 to {LONGEST_DAYS} days, not after {days}.")
    text = PREFIX + secrets.token_urlsafe(_RANDOM_BYTES)
    token = ApiToken(user=actor.user, name=name, digest=_digest(text), expires_at=get_now() + dt.timedelta(days=days))
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=actor.user.pk))  # of two at once, the second sees the first
        token.full_clean()
        token.save()
        record_event(
            actor=actor,
            action=AuditAction.CREATED,
            object_name=_OBJECT_NAME,
            record=token,
            changes={"name": ["", name], "expires_at": [None, token.expires_at]},
        )
    return token, text


def revoke_token(*, token: ApiToken, actor: Actor) -> bool:
    """The token opens nothing from now on. True unless it was revoked before."""
    with transaction.atomic():
        now = get_now()
        if not ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=now):
            return False
        record_event(
            actor=actor,
            action=AuditAction.CHANGED,
            object_name=_OBJECT_NAME,
            record=token,
            changes={"revoked_at": [None, now]},
        )
    return True


def list_tokens(*, user: User) -> QuerySet[ApiToken]:
    """The tokens of a user that are not revoked, the newest first; those that expired among them."""
    return ApiToken.objects.filter(user=user, revoked_at__isnull=True)


def find_user(text: str) -> User:
    """The user as whom a token acts; that it was used is noted, at most once a minute. Raises InvalidTokenError."""
    token = ApiToken.objects.select_related("user__security_profile").filter(digest=_digest(text)).first()
    if token is None:
        raise InvalidTokenError("This token is unknown. Create one on your profile page.")
    now = get_now()
    if token.revoked_at is not None:
        raise InvalidTokenError("This token was revoked. Create another on your profile page.")
    if token.expires_at <= now:
        raise InvalidTokenError("This token has expired. Create another on your profile page.")
    if not token.user.is_active:
        raise InvalidTokenError("The user of this token is inactive. Ask an admin.")
    if token.last_used_at is None or token.last_used_at <= now - _USE_IS_NOTED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
