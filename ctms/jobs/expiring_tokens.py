"""Tells people by e-mail that an API token ends: the owner of a service account, or the user whose token it is.

What is due stands in the row of the token, so that a Vault that stood still tells it late instead of never.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.urls import reverse

from ctms.accounts.mail import MailError, send_mail
from ctms.accounts.models import ApiToken, User
from ctms.accounts.policies import has_permission
from ctms.core.clock import get_now
from ctms.core.standing import read_standing
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.leases import acquire_lease

if TYPE_CHECKING:
    from datetime import datetime

log = structlog.get_logger(__name__)

_MOST = 50  # e-mails of one dispatch, which should not keep the jobs waiting


def notify_expiring_tokens() -> int:
    """Send one e-mail for each token of which its owner is to be told; return how many were sent.

    A lease sees to it that only one of several dispatches sends. If sending fails, or the process dies, the next
    dispatch tries again. A copy of a Vault tells nobody.
    """
    now = get_now()
    if not read_standing().may_send:
        return 0
    lasting = Q(user__valid_until__isnull=True) | Q(user__valid_until__gte=now.date())
    can_be_told = Q(user__service_owner__isnull=False) | ~Q(user__email="")
    due = ApiToken.objects.filter(
        lasting, can_be_told, notice_due_at__lte=now, revoked_at__isnull=True, user__is_active=True
    )
    return sum(_notify(pk, now=now) for pk in due.order_by("notice_due_at", "pk").values_list("pk", flat=True)[:_MOST])


def _notify(pk: int, *, now: datetime) -> bool:
    lease = acquire_lease(key=f"token:{pk}", run=None)
    if lease is None:
        return False
    try:
        # The process that held the lease before may have sent it since the tokens were listed.
        due = ApiToken.objects.filter(pk=pk, notice_due_at__lte=now, revoked_at__isnull=True)
        token = due.select_related("user__service_owner").first()
        recipients = _list_recipients(token) if token is not None else []
        if token is None or not recipients:
            return False
        send_mail(subject=_write_subject(token, now=now), text=_write_text(token, now=now), to=recipients)
        with transaction.atomic():
            lease.renew()
            due.update(notice_due_at=None)
    except MailError as error:
        log.warning("token_notice_not_sent", token=pk, error=str(error))
        return False
    except LeaseLostError:
        log.warning("token_notice_sent_late", token=pk)
        return True
    finally:
        lease.release()
    log.info("token_notice_sent", token=pk, recipients=len(recipients))
    return True


def _list_recipients(token: ApiToken) -> list[str]:
    """Return the address of who is responsible, or, where that person has left, those of who manages users."""
    person = token.user.service_owner or token.user
    if person.is_active and not person.has_ended and person.email:
        return [person.email]
    admins = (
        User.objects.filter(Q(is_superuser=True) | Q(security_profile__isnull=False), is_active=True)
        .exclude(email="")
        .select_related("security_profile")
        .order_by("pk")
    )
    return [user.email for user in admins if has_permission(user=user, permission=User.object_name)]


def _write_subject(token: ApiToken, *, now: datetime) -> str:
    return f"The API token {token.name} {'has ended' if token.expires_at <= now else 'ends soon'}"


def _write_text(token: ApiToken, *, now: datetime) -> str:
    verb = "ended" if token.expires_at <= now else "ends"
    page = reverse("admin:accounts_apitoken_change", args=(token.pk,))
    if not token.user.is_service_account:
        page = reverse("profile")
    remedy = "An admin can replace it there; both are then valid for some days."
    lines = (
        f"The API token {token.name} of {token.user} {verb} on {token.expires_at:%d %B %Y, %H:%M} UTC.",
        *([f"It is for: {token.user.service_purpose}"] if token.user.is_service_account else []),
        f"It was used last on {token.last_used_at:%d %B %Y, %H:%M} UTC."
        if token.last_used_at
        else "It was never used.",
        "",
        f"{settings.VAULT_BASE_URL.rstrip('/')}{page}",
        *([remedy] if token.user.is_service_account else []),
        "",
        "There is no other e-mail about this token.",
        "",
    )
    return "\n".join(lines)
