"""Saves the alert settings of a connection, and shows what was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import Prefetch

from crm_sync.models import AlertMail, AlertNotice, AlertSettings, ConnectionAlert
from ctms.audit.services import save_record
from ctms.core.clock import get_database_now
from ctms.webhooks.models import Webhook
from ctms.webhooks.services import save_webhook

if TYPE_CHECKING:
    from connections.models import Connection
    from ctms.accounts.models import User
    from ctms.audit.actors import Actor


def save_alert_settings(
    *,
    settings: AlertSettings,
    webhook_url: str,
    webhook_secret: str,
    actor: Actor,
    expected_version: int | None = None,
) -> None:
    """Save the settings with the webhook; without a URL the webhook is kept for its log, and gets nothing more.

    Raises the errors of `save_record`.
    """
    with transaction.atomic():
        webhook = settings.webhook
        if webhook_url or webhook is not None:
            webhook = webhook or Webhook()
            webhook.name = f"Alerts of {settings.connection.name}"[:128]
            webhook.url, webhook.is_active = webhook_url or webhook.url, bool(webhook_url)
            save_webhook(webhook=webhook, actor=actor, secret=webhook_secret)
            settings.webhook = webhook
        save_record(record=settings, actor=actor, expected_version=expected_version)


def list_alerts(connection: Connection, *, limit: int) -> list[ConnectionAlert]:
    """Return the newest alerts of a connection with their e-mails."""
    mails = Prefetch("mails", queryset=AlertMail.objects.order_by("address"))
    return list(ConnectionAlert.objects.filter(connection=connection).prefetch_related(mails)[:limit])


def mark_seen(*, connection: Connection, user: User) -> None:
    """Note that a user has seen the alerts of a connection."""
    AlertNotice.objects.filter(alert__connection=connection, user=user, seen_at=None).update(seen_at=get_database_now())
