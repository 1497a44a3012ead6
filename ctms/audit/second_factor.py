"""Sets up, asks for and removes the second factor of a user, with entries in the audit trail."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.accounts.models import SecondFactor, User
from ctms.accounts.second_factor import (
    clean_code,
    create_recovery_codes,
    digest_recovery_code,
    find_step,
)
from ctms.audit.acting import get_actor_for
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import delete_record, mark_records, record_event, save_record

_OBJECT_NAME = "accounts.user"


def enable_second_factor(*, secret: str, code: str, actor: Actor) -> list[str]:
    """Give the actor's user a second factor. Return the recovery codes, which are not stored.

    Raises ValidationError if the code is not one of the secret, or if the user has a second factor already.
    """
    step = find_step(secret=secret, code=clean_code(code))
    if step is None:
        raise ValidationError({"code": "This is not the code that the app shows now. Enter the newest one."})
    codes = create_recovery_codes()
    factor = SecondFactor(
        user=actor.user, last_step=step, recovery_digests=[digest_recovery_code(each) for each in codes]
    )
    factor.secret = secret
    with transaction.atomic():
        list(User.objects.select_for_update().filter(pk=actor.user.pk))  # makes simultaneous requests wait
        save_record(record=factor, actor=actor)
    return codes


def check_code(*, user: User, code: str) -> bool:
    """Whether this is a code of the user's app or a recovery code. Neither is right a second time."""
    cleaned = clean_code(code)
    with transaction.atomic():
        factor = SecondFactor.objects.select_for_update(no_key=True).filter(user=user).first()
        if factor is None:
            return False
        factors = SecondFactor.objects.filter(pk=factor.pk)
        step = find_step(secret=factor.secret.reveal(), code=cleaned)
        if step is not None and step > factor.last_step:
            mark_records(factors, last_step=step)
            return True
        digest = digest_recovery_code(cleaned)
        if digest not in factor.recovery_digests:
            return False
        left = [each for each in factor.recovery_digests if each != digest]
        mark_records(factors, recovery_digests=left)
        record_event(
            actor=get_actor_for(user),
            action=AuditAction.EVENT,
            object_name=_OBJECT_NAME,
            record=user,
            reason=f"A recovery code was used; {len(left)} are left",
        )
    return True


def remove_second_factor(*, factor: SecondFactor, actor: Actor, reason: str = "") -> None:
    """Remove a second factor; the next log-in of its user asks for the password alone."""
    delete_record(record=factor, actor=actor, reason=reason)
