"""How long deliveries of events are kept that have ended."""

from __future__ import annotations

from ctms.jobs.retention import OldRows, RetentionRule, register_retention
from ctms.webhooks.choices import ENDED_STATES
from ctms.webhooks.models import WebhookDelivery


def register_retention_rules() -> None:
    """Register the kind of rows; called once, when the app is ready."""
    register_retention(
        RetentionRule(
            key="webhook_deliveries",
            name="Webhook deliveries",
            models=(WebhookDelivery,),
            find=lambda before: [
                OldRows(rows=WebhookDelivery.objects.filter(state__in=ENDED_STATES, created_at__lt=before))
            ],
            setting="WEBHOOK_RETENTION_DAYS",
            keeps="Events that are still to be delivered.",
            position=400,
        )
    )
