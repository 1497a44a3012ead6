"""Says which Vault the database is, and lets other apps do what follows.

A Vault that was restored is back in time: what it knows of the CRMs is older than they are. So its connections are
paused and compared with their CRMs first (`crm_sync/contributions/returning.py`). A copy never sends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from ctms.accounts.models import UserSession
from ctms.audit.services import save_record
from ctms.core.clock import get_now
from ctms.core.standing import Role, Standing, read_standing
from ctms.machine.models import Installation
from ctms.machine.places import read_place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctms.audit.actors import Actor

_role_of_new: ContextVar[Role] = ContextVar("role_of_new_installation", default=Role.VAULT)


class Event(StrEnum):
    """What other apps may follow."""

    RESTORED = "restored"
    IS_VAULT = "is_vault"
    IS_COPY = "is_copy"
    EMPTIED = "emptied"  # of a copy: what opens the systems of others is removed


_follow_ups: dict[Event, list[Callable[[Actor], str]]] = {}


def register_follow_up(event: Event, follow: Callable[[Actor], str]) -> None:
    """Let `follow` do what follows, and return a sentence about it, or an empty text. Called once, from `ready()`."""
    if follow not in _follow_ups.setdefault(event, []):
        _follow_ups[event].append(follow)


@contextmanager
def restoring() -> Iterator[None]:
    """Within it, a database that is migrated for the first time is undecided: it was restored from an old backup."""
    token = _role_of_new.set(Role.UNDECIDED)
    try:
        yield
    finally:
        _role_of_new.reset(token)


def deliver_installation(*, actor: Actor) -> None:
    """Create the row, bound to this place; a row that is there stays as it is, also where it was copied."""
    if not Installation.objects.exists():
        role = _role_of_new.get()
        row = Installation(role=role, instance=settings.VAULT_INSTANCE, place=read_place())
        save_record(record=row, actor=actor, reason="Delivered with the Vault")


def note_restored(*, backup: str, actor: Actor) -> list[str]:
    """Make a database that was restored undecided, and end what must not come back; return what was done.

    Sessions of before are gone for good: one that somebody ended since would be open again.
    """
    with transaction.atomic():
        row = Installation.objects.select_for_update().get()
        row.role, row.restored_from, row.decided_at = Role.UNDECIDED, backup, None
        row.maintenance_since = row.maintenance_by = None
        row.maintenance_message = ""
        save_record(record=row, actor=actor, reason=f"Restored from {backup}")
        ended, _ = UserSession.objects.all().delete()
    return [f"{ended:,} sessions of users were ended.", *_follow(Event.RESTORED, actor)]


def declare_vault(*, actor: Actor, reason: str = "") -> list[str]:
    """Say that this database is the Vault; return what follows. Does nothing if that was said of it here."""
    if read_standing().role == Role.VAULT:
        return ["This is the Vault already; nothing was changed."]
    with transaction.atomic():
        _write(role=Role.VAULT, actor=actor, reason=reason)
        # In the transaction: connections are paused before anything may leave.
        done = _follow(Event.IS_VAULT, actor)
    return ["This is the Vault now.", *done]


def declare_copy(*, actor: Actor, reason: str = "", empty: bool = False) -> list[str]:
    """Say that this database is a copy, which never sends; with `empty`, remove what opens the systems of others."""
    with transaction.atomic():
        _write(role=Role.COPY, actor=actor, reason=reason)
        done = _follow(Event.IS_COPY, actor)
        if empty:
            done += _follow(Event.EMPTIED, actor)
    return ["This is a copy now: it sends nothing.", *done]


def _write(*, role: Role, actor: Actor, reason: str) -> None:
    row = Installation.objects.select_for_update().get()
    row.role, row.instance, row.place, row.decided_at = role, settings.VAULT_INSTANCE, read_place(), get_now()
    save_record(record=row, actor=actor, reason=reason)


def _follow(event: Event, actor: Actor) -> list[str]:
    return [sentence for follow in _follow_ups.get(event, []) if (sentence := follow(actor))]


# -- Maintenance ----------------------------------------------------------------------------------
def begin_maintenance(*, message: str, actor: Actor) -> Standing:
    """Make the Vault read-only; again, to change the message. Return its standing."""
    with transaction.atomic():
        row = Installation.objects.select_for_update().get()
        row.maintenance_since = row.maintenance_since or get_now()
        row.maintenance_by, row.maintenance_message = actor.user, " ".join(message.split())
        save_record(record=row, actor=actor, reason="Maintenance began")
    return read_standing()


def end_maintenance(*, actor: Actor) -> bool:
    """Let the Vault be written again; False if there was no maintenance."""
    with transaction.atomic():
        row = Installation.objects.select_for_update().get()
        if row.maintenance_since is None:
            return False
        row.maintenance_since = row.maintenance_by = None
        row.maintenance_message = ""
        save_record(record=row, actor=actor, reason="Maintenance ended")
    return True
