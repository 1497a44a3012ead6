"""Notifications in the Vault of alerts about connections."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import QuerySet
from django.urls import reverse

from crm_sync.models import AlertNotice
from ctms.accounts.models import User
from ctms.records.pages.home import describe_age
from ctms.records.pages.notifications import Notification, NotificationSource, register_notifications


def register_alert_notifications() -> None:
    """Register the notifications; called once, when the app is ready."""
    register_notifications(NotificationSource(list_unseen=list_unseen, build=_build_all, is_offered=_is_offered))


def list_unseen(user_id: int, since: datetime) -> QuerySet[AlertNotice]:
    """Return what the user has not seen since then, the newest first."""
    notices = AlertNotice.objects.filter(user_id=user_id, seen_at=None, alert__at__gt=since)
    return notices.order_by("-alert__at", "-id")


def _build_all(notices: QuerySet[AlertNotice], limit: int) -> Sequence[Notification]:
    return [_build(each) for each in notices.select_related("alert")[:limit]]


def _is_offered(user: User) -> bool:
    return user.is_staff


def _build(notice: AlertNotice) -> Notification:
    return Notification(
        label=notice.alert.title,
        text=notice.alert.text,
        url=reverse("admin:connections_connection_alerts", args=(notice.alert.connection_id,)),
        age=describe_age(notice.alert.at),
        is_warning=not notice.alert.is_recovery,
    )
