"""Unlocks log-ins that too many wrong passwords have locked, with an entry in the audit trail."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import transaction

from ctms.accounts.lockout import find_failures
from ctms.accounts.models import FailedLogIn, User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event


def unlock_log_ins(*, failures: Iterable[FailedLogIn], actor: Actor) -> int:
    """Forget all wrong passwords that have the username and address of one of these; return how many these were."""
    pairs = sorted({(failure.username, failure.address) for failure in failures})
    with transaction.atomic():
        return sum(_unlock(username=username, address=address, actor=actor) for username, address in pairs)


def _unlock(*, username: str, address: str, actor: Actor) -> int:
    count, _ = find_failures(username=username).filter(address=address).delete()
    if count:
        record_event(
            actor=actor,
            action=AuditAction.EVENT,
            object_name="accounts.user",
            record=User.objects.filter(username__iexact=username).first(),
            changes={"failed_log_ins": [count, 0]},
            reason=f"Log-in as {username} from {address} was unlocked",
        )
    return count
