"""Notifications in the Vault about flash reports: that one came, or that its e-mail could not be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.urls import reverse

from ctms.accounts.models import User
from ctms.core.clock import get_now
from ctms.records.pages.home import describe_age
from ctms.records.pages.navigation import Notification, register_notifications
from ctms.reports.access import may
from ctms.reports.choices import MailState
from ctms.reports.models import FlashMail

_TOLD_FOR = dt.timedelta(days=7)
_TOLD = (MailState.SENT, MailState.FAILED, MailState.UNCLEAR)


def register_flash_notifications() -> None:
    """Register the notifications; called once, when the app is ready."""
    register_notifications(list_unseen)


def list_unseen(user: User, limit: int) -> Sequence[Notification]:
    """Return what the user has not seen of the last week, the newest first. Runs one statement at most."""
    if not may(user=user, action="read"):
        return ()
    mails = FlashMail.objects.filter(user=user, seen_at=None, changed_at__gt=get_now() - _TOLD_FOR, state__in=_TOLD)
    return [
        _build(each) for each in mails.select_related("delivery__flash__report").order_by("-changed_at", "-id")[:limit]
    ]


def _build(mail: FlashMail) -> Notification:
    is_sent = mail.state == MailState.SENT
    records = f"{mail.rows:,} {'record' if mail.rows == 1 else 'records'}"
    return Notification(
        label=f"Report: {mail.delivery.flash.report}",
        text=f"{records}; an e-mail was sent to you." if is_sent else mail.reason,
        url=reverse("report_notification", args=(mail.uid,)),
        age=describe_age(mail.changed_at),
        is_warning=not is_sent,
    )
