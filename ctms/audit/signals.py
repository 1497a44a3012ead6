"""Receivers of Django's signals: log-ins, log-outs, failed log-ins, and new database connections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from ctms.accounts.addresses import get_client_address
from ctms.accounts.lockout import log_in_locked
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import format_time

if TYPE_CHECKING:
    from datetime import datetime

    from django.http import HttpRequest

    from ctms.accounts.models import FailedLogIn, User

_OBJECT_NAME = "accounts.user"


@receiver(user_logged_in)
def record_log_in(user: User, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    _record(user=user, request=request, action=AuditAction.LOGGED_IN)


@receiver(user_logged_out)
def record_log_out(user: User | None, request: HttpRequest | None = None, **_kwargs: Any) -> None:
    if user is not None:
        _record(user=user, request=request, action=AuditAction.LOGGED_OUT)


@receiver(user_login_failed)
def record_failed_log_in(credentials: dict[str, Any], request: HttpRequest | None = None, **_kwargs: Any) -> None:
    record_event(
        actor=None,
        action=AuditAction.LOGIN_FAILED,
        object_name=_OBJECT_NAME,
        # Anybody may send anything, e.g. a null character, which PostgreSQL does not store.
        actor_name=str(credentials.get("username", "")).replace("\0", ""),
        address=_get_address(request),
    )


@receiver(log_in_locked)
def record_lock(failure: FailedLogIn, until: datetime, **_kwargs: Any) -> None:
    record_event(
        actor=None,
        action=AuditAction.EVENT,
        object_name=_OBJECT_NAME,
        actor_name=failure.username,
        reason=f"Log-in as {failure.username} from {failure.address} is locked until {format_time(until)}",
    )


def _record(*, user: User, request: HttpRequest | None, action: AuditAction) -> None:
    actor = Actor(user=user, source="page", address=_get_address(request))
    record_event(actor=actor, action=action, object_name=_OBJECT_NAME, record=user)


def _get_address(request: HttpRequest | None) -> str:
    """Return the address of a request; programs and tests log in without one."""
    return get_client_address(request) if request is not None else ""


_FIRST_VERSION_WITH_TRANSACTION_TIMEOUT = 170000


@receiver(connection_created)
def bound_transactions(connection: Any, **_kwargs: Any) -> None:
    """Limit transactions on PostgreSQL 17 and later to `DATABASE_TRANSACTION_SECONDS`.

    A record that is committed later than the overlap of transfers allows would be missed by them. For older versions,
    `ctms.settings.production` limits each statement and each idle time instead.
    """
    if connection.vendor == "postgresql" and connection.pg_version >= _FIRST_VERSION_WITH_TRANSACTION_TIMEOUT:
        with connection.cursor() as cursor:
            cursor.execute("SET transaction_timeout = %s", [f"{settings.DATABASE_TRANSACTION_SECONDS}s"])


def lift_time_limits(connection: Any) -> None:
    """Let statements and transactions of this connection to PostgreSQL take any time, until it is closed."""
    if connection.vendor != "postgresql":
        return
    limits = ["statement_timeout", "idle_in_transaction_session_timeout"]
    if connection.pg_version >= _FIRST_VERSION_WITH_TRANSACTION_TIMEOUT:
        limits.append("transaction_timeout")
    with connection.cursor() as cursor:
        for name in limits:
            cursor.execute(f"SET {name} = 0")
