"""Notifications in the Vault about flash reports: that one came, or that its e-mail could not be sent."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from django.db.models import QuerySet
from django.urls import reverse

from ctms.accounts.models import User
from ctms.records.pages.home import describe_age
from ctms.records.pages.notifications import Notification, NotificationSource, register_notifications
from ctms.reports.access import may
from ctms.reports.choices import MailState
from ctms.reports.models import FlashMail

_SHOWN = (
    "uid",
    "delivery",
    "delivery__flash",
    "delivery__flash__report__name",
    "state",
    "rows",
    "reason",
    "changed_at",
)
_TOLD = (MailState.SENT, MailState.FAILED, MailState.UNCLEAR)


def register_flash_notifications() -> None:
    """Register the notifications; called once, when the app is ready."""
    register_notifications(NotificationSource(list_unseen=list_unseen, build=_build_all, is_offered=_is_offered))


def list_unseen(user_id: int, since: dt.datetime) -> QuerySet[FlashMail]:
    """Return what the user has not seen of what was sent, or was not, since then; the newest first."""
    mails = FlashMail.objects.filter(user_id=user_id, seen_at=None, changed_at__gt=since, state__in=_TOLD)
    return mails.order_by("-changed_at", "-id")


def _is_offered(user: User) -> bool:
    return may(user=user, action="read")


def _build_all(mails: QuerySet[FlashMail], limit: int) -> Sequence[Notification]:
    # To select the columns of four tables would take longer than to read their rows.
    return [_build(each) for each in mails.select_related("delivery__flash__report").only(*_SHOWN)[:limit]]


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
