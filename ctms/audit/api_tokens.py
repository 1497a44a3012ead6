"""Creating and revoking API tokens, each with its entry in the audit trail."""

from __future__ import annotations

from django.db import transaction

from ctms.accounts.models import ApiToken, User
from ctms.accounts.tokens import build_token
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import get_now

_OBJECT_NAME = "records.api_token"


def create_token(*, name: str, days: int, actor: Actor) -> tuple[ApiToken, str]:
    """Create a token of the actor's user. Return it with its text, which is not stored.

    Raises ValidationError if the user has a token of that name, and ValueError unless it expires within a year.
    """
    token, text = build_token(user=actor.user, name=name, days=days)
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=actor.user.pk))  # makes simultaneous requests wait
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
    """Revoke a token. Return False if it was revoked before."""
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
