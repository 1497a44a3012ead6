"""Creating and revoking API tokens; the audit trail is told of both, as of every write of a tracked row."""

from __future__ import annotations

from django.db import transaction

from ctms.accounts.models import ApiToken, TokenScope, User
from ctms.accounts.tokens import build_token
from ctms.audit.acting import acting_as
from ctms.audit.actors import Actor
from ctms.core.clock import get_now


def create_token(*, name: str, days: int, actor: Actor, scope: str = TokenScope.READ) -> tuple[ApiToken, str]:
    """Create a token of the actor's user. Return it with its text, which is not stored.

    Raises ValidationError if the user has a token of that name, and ValueError unless it expires within a year.
    """
    token, text = build_token(user=actor.user, name=name, days=days, scope=scope)
    with transaction.atomic(), acting_as(actor):
        list(User.objects.select_for_update().filter(pk=actor.user.pk))  # makes simultaneous requests wait
        token.full_clean()
        token.save()
    return token, text


def revoke_token(*, token: ApiToken, actor: Actor) -> bool:
    """Revoke a token. Return False if it was revoked before."""
    with acting_as(actor):
        return bool(ApiToken.objects.filter(pk=token.pk, revoked_at__isnull=True).update(revoked_at=get_now()))
