"""What becomes of connections where the database was restored, or is a copy: what opens either side ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.callbacks import revoke_sessions
from connections.models import Connection, ConnectionAuthorization
from connections.services import clear_secrets
from ctms.machine.declaring import Event, register_follow_up

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


def register_returning() -> None:
    """Register what follows; called once, when the app is ready."""
    register_follow_up(Event.RESTORED, _revoke_sessions)
    register_follow_up(Event.IS_COPY, _revoke_sessions)
    register_follow_up(Event.EMPTIED, _empty_authorizations)


def _revoke_sessions(actor: Actor) -> str:
    because = "The database was restored or copied."
    revoked = sum(revoke_sessions(connection=each, because=because, actor=actor) for each in Connection.objects.all())
    return f"{revoked:,} call-back sessions were revoked." if revoked else ""


def _empty_authorizations(actor: Actor) -> str:
    emptied = [
        each
        for each in ConnectionAuthorization.objects.order_by("pk")
        if clear_secrets(authorization=each, actor=actor)
    ]
    names = ", ".join(each.name for each in emptied) or "none had any"
    return f"Passwords, keys and secrets of CRM authorizations were removed: {names}."
