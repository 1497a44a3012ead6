"""A Vault that was restored is older than its CRMs: its connections are paused, and compared with them first."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import structlog
from django.db import transaction

from connections.models import Connection
from crm_sync.actions.pausing import pause_all
from crm_sync.actions.repair_now import reconcile_now
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.machine.declaring import Event, register_follow_up

if TYPE_CHECKING:
    from ctms.accounts.models import User
    from ctms.audit.actors import Actor

log = structlog.get_logger(__name__)

WHY_PAUSED = (
    "The database was restored, and is older than the CRM. Look at the connection's page Reconciliation, repair what "
    "nothing explains, then resume it."
)


def register_return() -> None:
    """Register what follows; called once, when the app is ready."""
    register_follow_up(Event.IS_VAULT, pause_and_compare)


def pause_and_compare(actor: Actor) -> str:
    """Pause every Active connection, and have each compared with its CRM; return a sentence about it."""
    pause_all(reason=WHY_PAUSED, actor=actor)
    active = list(Connection.objects.filter(status=RecordStatus.ACTIVE).order_by("name"))
    if not active:
        return "No connection is Active, so that none had to be paused."
    # After the commit: only then may runs begin.
    transaction.on_commit(partial(_compare, active, user=actor.user))
    names = ", ".join(each.name for each in active)
    return (
        f"Paused, and being compared with their CRMs: {names}. Look at the page Reconciliation of each, repair what "
        "nothing explains, and resume it."
    )


def _compare(connections: list[Connection], *, user: User) -> None:
    for connection in connections:
        try:
            reconcile_now(connection=connection, user=user)
        except VaultError as error:  # one is running already, or an admin starts it when that is over
            log.warning("reconciliation_not_started", connection=connection.name, error=str(error))
