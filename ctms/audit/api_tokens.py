"""Creating, replacing and revoking API tokens; the audit trail is told of each, as of every write of a tracked row."""

from __future__ import annotations

import datetime as dt
import re
from itertools import count

from django.core.exceptions import PermissionDenied
from django.db import transaction

from ctms.accounts.granting import explain_acting
from ctms.accounts.models import ApiToken, TokenScope, User
from ctms.accounts.tokens import NO_LIMITS, TokenLimits, build_token
from ctms.audit.acting import acting_as
from ctms.audit.actors import Actor
from ctms.core.clock import get_now
from ctms.core.errors import VaultError

LONGEST_OVERLAP_DAYS = 14
_NUMBER = re.compile(r" #[0-9]+$")
_LONGEST_NAME = 70  # leaves room for a number


class TokenNotReplacedError(VaultError):
    """The token cannot be replaced; the message says why."""


def create_token(
    *,
    name: str,
    days: int,
    actor: Actor,
    scope: str = TokenScope.READ,
    user: User | None = None,
    limits: TokenLimits = NO_LIMITS,
) -> tuple[ApiToken, str]:
    """Create a token of `user`, a service account, or else of the actor's user.

    Return it with its text, which is not stored. Raises ValidationError if the user has a token of that name,
    ValueError unless it expires within a year, and PermissionDenied if the actor may not act as the user.
    """
    user = user or actor.user
    _require_acting(user=user, actor=actor)
    token, text = build_token(user=user, name=name, days=days, scope=scope, limits=limits)
    with transaction.atomic(), acting_as(actor):
        _hold(user)
        token.full_clean()
        token.save()
    return token, text


def replace_token(*, token: ApiToken, days: int, overlap_days: int, actor: Actor) -> tuple[ApiToken, str]:
    """Create a token with the limits of another, which stays valid for `overlap_days`, at most until its own end.

    Return the new one with its text, which is not stored. It is named after the other, with the next free number.
    Raises TokenNotReplacedError, ValueError and PermissionDenied.
    """
    if not 0 <= overlap_days <= LONGEST_OVERLAP_DAYS:
        raise ValueError(f"The replaced token stays valid for 0 to {LONGEST_OVERLAP_DAYS} days, not {overlap_days}.")
    _require_acting(user=token.user, actor=actor)
    with transaction.atomic(), acting_as(actor):
        _hold(token.user)
        old = ApiToken.objects.select_related("user").select_for_update(of=("self",)).get(pk=token.pk)
        now = get_now()
        if reason := _explain_kept(old, now=now):
            raise TokenNotReplacedError(reason)
        limits = TokenLimits(object_names=old.object_names, study_uids=old.study_uids, networks=old.networks)
        new, text = build_token(user=old.user, name=_find_name(old), days=days, scope=old.scope, limits=limits)
        new.replaces = old
        new.full_clean()
        new.save()
        old.expires_at = min(old.expires_at, now + dt.timedelta(days=overlap_days))
        old.notice_due_at = None  # whoever replaces it knows that it ends
        old.save(update_fields=("expires_at", "notice_due_at"))
    return new, text


def revoke_token(*, token: ApiToken, actor: Actor) -> bool:
    """Revoke a token. Return False if it was revoked before."""
    with acting_as(actor):
        return bool(ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=get_now()))


def _require_acting(*, user: User, actor: Actor) -> None:
    if reason := explain_acting(giver=actor.user, user=user):
        raise PermissionDenied(reason)


def _hold(user: User) -> None:
    """Make simultaneous requests about the tokens of the user wait until the transaction ends."""
    list(User.objects.select_for_update().filter(pk=user.pk))


def _explain_kept(token: ApiToken, *, now: dt.datetime) -> str:
    if token.revoked_at is not None:
        return f"The token {token.name} was revoked. Create another one instead."
    if token.expires_at <= now:
        return f"The token {token.name} has expired. Create another one instead."
    newer = ApiToken.objects.filter(replaces=token).first()
    if newer is not None:
        return f"The token {token.name} was replaced by {newer.name} already. Replace or revoke that one."
    return ""


def _find_name(token: ApiToken) -> str:
    stem = _NUMBER.sub("", token.name)[:_LONGEST_NAME]
    taken = set(ApiToken.objects.filter(user=token.user).values_list("name", flat=True))
    return next(name for number in count(2) if (name := f"{stem} #{number}") not in taken)
