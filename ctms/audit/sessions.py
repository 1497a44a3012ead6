"""Ending sessions of users, with an entry in the audit trail for each."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from ctms.accounts.models import User, UserSession
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event


def end_sessions(*, user: User, sessions: Iterable[UserSession], actor: Actor) -> int:
    """End these sessions of a user; the next request of each is asked to log in. Return how many there still were."""
    ended = 0
    with transaction.atomic():
        for session in sessions:
            if UserSession.objects.filter(pk=session.pk, user=user).delete()[0]:
                ended += 1
                record_event(
                    actor=actor,
                    action=AuditAction.EVENT,
                    object_name=user.audit_name,
                    record=user,
                    changes={"session": [str(session), "ended"]},
                )
    return ended
