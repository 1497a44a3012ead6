"""Writes users for those who say who writes; everybody else's writes are in the audit trail all the same."""

from __future__ import annotations

from collections.abc import Collection

from django.db import transaction

from ctms.accounts.models import User
from ctms.audit.acting import acting_as
from ctms.audit.actors import Actor


def save_user(*, user: User, actor: Actor, fields: Collection[str] | None = None) -> None:
    """Create or change a user, with an audit entry if anything changed.

    `fields` are the fields to write of a user that exists. The others keep what is stored now; otherwise saving a user
    that was read before it was deactivated would make it active again.
    """
    with transaction.atomic(), acting_as(actor):
        if fields is not None and not user._state.adding:  # noqa: SLF001  Django's documented API
            stored = User.objects.select_for_update().get(pk=user.pk)
            for each in user._meta.concrete_fields:
                if each.name not in fields:
                    setattr(user, each.attname, getattr(stored, each.attname))
        user.save()
