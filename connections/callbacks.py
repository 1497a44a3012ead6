"""Call-back sessions: issue, find and revoke the tokens with which a CRM calls the Vault back.

A session is good for as long as everything holds that held when it was issued: its connection is Active and leads to
the same organisation, its user is still the connection's Authorized Connection User and may log in. All of it is asked
at each use. What ends sessions also revokes them, so that they stay ended when it is undone.
"""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.db import transaction

from connections.models import CallbackSession, Connection
from connections.validators import clean_connection_url
from ctms.accounts.granting import explain_giving, is_exempt
from ctms.accounts.models import SYSTEM_USERNAME, CallingConnection, TokenScope, User, users_locked_out
from ctms.accounts.policies import has_permission
from ctms.accounts.tokens import InvalidTokenError, build_token_text, digest_token, register_token_finder
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.db.models import QuerySet

    from ctms.audit.actors import Actor

PREFIX = "vault_session_"
# Of the text of a session: the prefix and 43 characters.
TEXT_LENGTH = len(PREFIX) + 43
_USE_IS_NOTED_EVERY = dt.timedelta(minutes=1)
_WHAT_IS_TOLD = "The next transfer hands a new one to the CRM."


def register_callbacks() -> None:
    """Let the API accept call-back sessions, and end those of users who are locked out. Called from `ready()`."""
    register_token_finder(prefix=PREFIX, find=find_session)
    users_locked_out.connect(_end_sessions_of_users, dispatch_uid="end_callback_sessions")


# -- Whether a connection's CRM may call back -----------------------------------------------------
def explain_no_callback(connection: Connection) -> str:
    """Return why the connection's CRM may not call back now, and what to do; empty if it may."""
    user = connection.authorized_connection_user
    if user is None:
        return f"{connection.name} has no Authorized Connection User. Choose one on the connection."
    if stop := _explain_standstill(connection):
        return stop
    if refusal := _explain_shut_out(user) or _explain_unfit(user):
        return refusal
    return explain_unconfirmed(connection)


def explain_unconfirmed(connection: Connection) -> str:
    """Return why the Authorized Connection User is not confirmed for the organisation, and what to do; empty if so.

    That is so after an update of a Vault that named one before there were call-back sessions.
    """
    user = connection.authorized_connection_user
    if user is None or not connection.url or connection.callback_origin == connection.url:
        return ""
    if not connection.callback_origin:
        return (
            f"The Authorized Connection User {user} is not confirmed, so nothing is handed over to the CRM. Let "
            f"somebody who manages users open {connection.name} and save it."
        )
    return (
        f"{user} was authorised for {connection.callback_origin}, and {connection.name} leads to {connection.url}. Let "
        "somebody who manages users save the connection."
    )


def authorise_callbacks(*, connection: Connection, stored: Connection | None, actor: Actor) -> None:
    """Note on a connection that is about to be saved for which organisation its user is authorised.

    `stored` is the connection as it was. Whoever manages users, and could give the user's profile, authorises; anybody
    may name themselves. Raises ValidationError if the actor may not and names another user, or lets sessions write.
    """
    user = connection.authorized_connection_user
    if user is None:
        connection.callback_origin = ""
        return
    is_new = stored is None or stored.authorized_connection_user_id != user.pk
    if is_new and (refusal := _explain_unfit(user)):
        raise ValidationError({"authorized_connection_user": refusal})
    refusal = _explain_authorising(giver=actor.user, user=user)
    if not refusal:
        with suppress(ValidationError):  # the validation of the URL says what is wrong with it
            connection.callback_origin = clean_connection_url(connection.url)
        return
    if is_new:
        raise ValidationError({"authorized_connection_user": refusal})
    was_writing = stored is not None and stored.callback_scope == TokenScope.WRITE
    if connection.callback_scope == TokenScope.WRITE and not was_writing:
        raise ValidationError({"callback_scope": refusal})


def _explain_standstill(connection: Connection) -> str:
    if connection.status != RecordStatus.ACTIVE:
        return f"{connection.name} is Inactive. Activate the connection."
    if getattr(connection, "paused_at", None) is not None:
        return f"{connection.name} is paused. Resume it."
    return ""


def _explain_shut_out(user: User) -> str:
    if not user.is_active:
        return f"The Authorized Connection User {user} is inactive. Choose another one on the connection."
    if user.has_ended:
        return f"The account of the Authorized Connection User {user} has ended. Choose another one on the connection."
    return ""


def _explain_unfit(user: User) -> str:
    if user.is_superuser or user.username == SYSTEM_USERNAME:
        return (
            f"{user} may do everything, and a CRM that calls back should not. Choose a user whose security profile "
            "holds what this CRM is to read."
        )
    return ""


def _explain_authorising(*, giver: User, user: User) -> str:
    """Return why `giver` may not let a CRM act as `user`; empty if they may: who could log in as the user anyway."""
    if giver.pk == user.pk or is_exempt(giver):
        return ""
    if not has_permission(user=giver, permission=User.object_name):
        return (
            f"A CRM would act as {user}, and you may not manage users. Choose yourself, or ask somebody who manages "
            "users."
        )
    return explain_giving(giver=giver, profile=user.security_profile)


# -- Issuing and finding --------------------------------------------------------------------------
def issue_session(*, connection_id: int, run_reference: str) -> tuple[CallbackSession, str] | None:
    """Store a new session of a connection and return it with its text; None if its CRM may not call back."""
    with transaction.atomic():
        connection = _read_connections().select_for_update(of=("self",)).filter(pk=connection_id).first()
        user = connection.authorized_connection_user if connection is not None else None
        if connection is None or user is None or explain_no_callback(connection):
            return None
        now, text = get_now(), build_token_text(PREFIX)
        session = CallbackSession.objects.create(
            connection=connection,
            user=user,
            origin=connection.url,
            scope=connection.callback_scope,
            digest=digest_token(text),
            run_reference=run_reference,
            issued_at=now,
            expires_at=now + dt.timedelta(minutes=connection.callback_minutes),
        )
    return session, text


def find_session(text: str, address: str) -> CallbackSession:
    """Return the session of this text, whose user is limited to its connection, and note its use from `address`.

    Raises InvalidTokenError.
    """
    sessions = CallbackSession.objects.select_related(
        "user__security_profile", "connection__authorized_connection_user__security_profile"
    )
    session = sessions.filter(digest=digest_token(text)).first()
    if session is None:
        raise InvalidTokenError(f"This call-back session is unknown. {_WHAT_IS_TOLD}")
    now = get_now()
    if session.revoked_at is not None:
        raise InvalidTokenError(f"This call-back session was revoked. {_WHAT_IS_TOLD}")
    if session.expires_at <= now:
        raise InvalidTokenError(f"This call-back session has expired. {_WHAT_IS_TOLD}")
    connection = session.connection
    if (
        explain_no_callback(connection)
        or connection.authorized_connection_user_id != session.user_id
        or connection.url != session.origin
    ):
        raise InvalidTokenError("The connection of this call-back session does not allow call-backs now. Ask an admin.")
    if connection.callback_scope != TokenScope.WRITE:
        session.scope = TokenScope.READ
    session.user.calling_for = CallingConnection(
        pk=connection.pk, uid=connection.uid, object_name=connection.object_name
    )
    if (
        session.last_used_at is None
        or session.last_used_at <= now - _USE_IS_NOTED_EVERY
        or session.last_address != address
    ):
        CallbackSession.objects.filter(pk=session.pk).update(last_used_at=now, last_address=address)
    return session


def list_live_sessions(connection: Connection) -> QuerySet[CallbackSession]:
    """Return the sessions of a connection that are neither revoked nor expired, newest first."""
    live = connection.callback_sessions.filter(revoked_at__isnull=True, expires_at__gt=get_now())
    return live.select_related("user")


# -- Revoking -------------------------------------------------------------------------------------
def revoke_sessions(*, connection: Connection, because: str, actor: Actor) -> int:
    """Revoke the live sessions of a connection, with an entry in its audit trail; return how many there were."""
    with transaction.atomic():
        # Sessions that are being issued are waited for.
        list(Connection.objects.select_for_update().filter(pk=connection.pk).values_list("pk"))
        revoked = _revoke(list_live_sessions(connection), because=because)
        if revoked:
            record_event(
                actor=actor,
                action=AuditAction.EVENT,
                object_name=connection.object_name,
                record=connection,
                changes={"callback_sessions": [revoked, "revoked"]},
                reason=because,
            )
    return revoked


def revoke_outdated(*, connection: Connection, stored: Connection, actor: Actor) -> None:
    """Revoke the sessions of a connection that was changed from `stored`, if the change ends them."""
    if connection.authorized_connection_user_id != stored.authorized_connection_user_id:
        because = "The Authorized Connection User was changed."
    elif connection.url != stored.url:
        because = "The connection leads to another organisation."
    elif connection.status not in (stored.status, RecordStatus.ACTIVE):
        because = "The connection was made Inactive."
    elif connection.callback_scope != stored.callback_scope or connection.callback_minutes < stored.callback_minutes:
        because = "What call-back sessions may do, or how long they last, was changed."
    else:
        return
    revoke_sessions(connection=connection, because=because, actor=actor)


def _end_sessions_of_users(keys: Collection[int], **_kwargs: Any) -> None:
    live = CallbackSession.objects.filter(user__in=keys, revoked_at__isnull=True)
    _revoke(live, because="The user was deactivated or got a new password.")


def _revoke(sessions: QuerySet[CallbackSession], *, because: str) -> int:
    return sessions.order_by().update(revoked_at=get_now(), revoked_because=because)


def _read_connections() -> QuerySet[Connection]:
    return Connection.objects.select_related("authorized_connection_user__security_profile")
