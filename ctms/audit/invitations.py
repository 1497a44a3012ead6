"""Inviting users by e-mail, with an entry in the audit trail."""

from __future__ import annotations

from urllib.parse import urlencode

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from ctms.accounts.invitations import store_invitation
from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.choices import AuditAction
from ctms.audit.services import record_event
from ctms.core.clock import format_time
from ctms.core.errors import VaultError

_TEXT = """\
{inviter} invites you to {vault}.

Your username: {username}

Set your password here, once, until {until:%d %B %Y, %H:%M} UTC:

{url}

If you did not expect this, do nothing: without the link nobody can set your password.
"""


class InvitationError(VaultError):
    """A user was not invited; the message says why and what to do."""


def send_invitation(*, user: User, actor: Actor) -> None:
    """Send a user a link by which they set their password, once; the link of an earlier invitation ends.

    Raises InvitationError if there is nobody to send it to, or if the e-mail could not be handed over; then an earlier
    invitation stays as it was.
    """
    if not user.is_active:
        raise InvitationError(f"{user} is inactive: make the user active, then send the invitation.")
    if not user.email:
        raise InvitationError(f"{user} has no e-mail address: enter one, then send the invitation.")
    with transaction.atomic():
        text = store_invitation(user)
        record_event(
            actor=actor,
            action=AuditAction.EVENT,
            object_name=user.audit_name,
            record=user,
            changes={"invitation": ["", f"sent to {user.email}, valid until {format_time(user.invited_until)}"]},
        )
        try:
            send_mail(subject="Your invitation", text=_write(user=user, actor=actor, text=text), to=[user.email])
        except MailError as error:
            raise InvitationError(
                f"The invitation to {user.email} was not sent. {error} Then choose Send invitation on the user's page, "
                "or set a first password there."
            ) from error


def _write(*, user: User, actor: Actor, text: str) -> str:
    # In the query, which is logged nowhere, and not in the path.
    address = f"{settings.VAULT_BASE_URL.rstrip('/')}{reverse('invitation')}?{urlencode({'token': text})}"
    return _TEXT.format(
        inviter=actor.user,
        vault=settings.VAULT_NAME,
        username=user.username,
        until=user.invited_until,
        url=address,
    )
