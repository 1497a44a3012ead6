"""Writes users. They are not audited records, so their audit entries are written here, in the same transaction."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.contrib.auth.base_user import AbstractBaseUser
from django.db import transaction

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.audit.values import read_values

# The hash of the password is never shown, log-ins have entries of their own, and the other two do not change.
_NOT_IN_THE_TRAIL = frozenset({"password", "last_login", "date_joined", "uid"})


def save_user(*, user: User, actor: Actor, fields: Collection[str] | None = None) -> None:
    """Create or change a user, with an audit entry of the values before and after if anything changed.

    `fields` are the fields to write of a user that exists. The others keep what is stored now; otherwise saving a user
    that was read before it was deactivated would make it active again.
    """
    with transaction.atomic():
        adding = user._state.adding  # noqa: SLF001  Django's documented API
        stored = None if adding else User.objects.select_for_update().get(pk=user.pk)
        before = _read(stored) if stored is not None else {}
        if stored is not None and fields is not None:
            for each in user._meta.concrete_fields:
                if each.name not in fields:
                    setattr(user, each.attname, getattr(stored, each.attname))
        user.save()
        after = _read(user)
        changes = {name: [before.get(name), value] for name, value in after.items() if before.get(name) != value}
        if stored is None or changes:
            record_event(
                actor=actor,
                action=AuditAction.CREATED if stored is None else AuditAction.CHANGED,
                object_name="accounts.user",
                record=user,
                changes=changes,
            )


def record_password_change(*, user: AbstractBaseUser, actor: Actor) -> None:
    """Write an audit entry that a user's password was set. Call it in the transaction that sets the password."""
    record_event(
        actor=actor,
        action=AuditAction.CHANGED,
        object_name="accounts.user",
        record=user,
        changes={"password": ["", "set"]},
        reason="Sessions and API tokens of the user ended",
    )


def _read(user: User) -> dict[str, Any]:
    return {name: value for name, value in read_values(user).items() if name not in _NOT_IN_THE_TRAIL}
