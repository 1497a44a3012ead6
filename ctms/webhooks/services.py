"""Queues events for webhooks, and saves webhooks."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction

from ctms.audit.services import save_record
from ctms.core.clock import get_database_now
from ctms.webhooks.choices import ENDED_STATES, DeliveryState
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.signing import make_secret

if TYPE_CHECKING:
    from datetime import datetime

    from ctms.audit.actors import Actor

TEST_EVENT = "test"


def queue_event(*, webhook: Webhook, event: str, key: str, data: dict[str, Any]) -> WebhookDelivery:
    """Queue an event in the caller's transaction; one that was queued under this key already is returned."""
    now = get_database_now()
    body = write_body(webhook=webhook, event=event, key=key, at=now, data=data)
    delivery, _ = WebhookDelivery.objects.get_or_create(
        webhook=webhook, key=key, defaults={"event": event, "body": body, "created_at": now, "next_try_at": now}
    )
    return delivery


def write_body(*, webhook: Webhook, event: str, key: str, at: datetime, data: dict[str, Any]) -> str:
    """Return the text of an event: as Standard Webhooks have it, or for those that others queue, in the older form."""
    text = {"type": event, "timestamp": at, "data": data}
    return json.dumps(
        text if webhook.source else {"event": event, "id": key, "at": at, "data": data}, cls=DjangoJSONEncoder
    )


def queue_test(webhook: Webhook) -> WebhookDelivery:
    """Queue a test event, which the receiver can tell from others."""
    key = f"{TEST_EVENT}:{uuid.uuid4()}"
    return queue_event(webhook=webhook, event=TEST_EVENT, key=key, data={"message": "This is a test of the webhook."})


def retry_delivery(delivery: WebhookDelivery) -> bool:
    """Send a delivery that has ended again, from its first wait on and with its id; False if it waits already."""
    return bool(
        WebhookDelivery.objects.filter(pk=delivery.pk, state__in=ENDED_STATES).update(
            state=DeliveryState.WAITING, attempts=0, next_try_at=get_database_now()
        )
    )


def save_webhook(*, webhook: Webhook, actor: Actor, secret: str = "", expected_version: int | None = None) -> None:
    """Save a webhook, with another secret if one was entered. Raises the errors of `save_record`."""
    if secret:
        webhook.secret, webhook.secret_set_at = secret, get_database_now()
    with transaction.atomic():
        save_record(record=webhook, actor=actor, expected_version=expected_version)


def replace_secret(*, webhook: Webhook, actor: Actor) -> str:
    """Give a webhook a new secret and return it; the one that it had signs as well until `end_previous_secret`.

    Raises the errors of `save_record`.
    """
    secret = make_secret()
    webhook.previous_secret = webhook.secret or ""
    save_webhook(webhook=webhook, actor=actor, secret=secret)
    return secret


def end_previous_secret(*, webhook: Webhook, actor: Actor) -> None:
    """Sign by the newest secret alone from now on. Raises the errors of `save_record`."""
    webhook.previous_secret = ""
    save_webhook(webhook=webhook, actor=actor)


def switch_off_webhooks(actor: Actor) -> str:
    """Make every webhook of a copy inactive and forget its secret; return a sentence about it."""
    active = [each for each in Webhook.objects.order_by("pk") if each.is_active or each.secret]
    for webhook in active:
        webhook.is_active, webhook.secret, webhook.secret_set_at = False, "", None
        webhook.previous_secret = ""
        save_record(record=webhook, actor=actor, reason="Switched off in a copy of the Vault")
    return f"{len(active):,} webhooks were switched off, and their secrets removed." if active else ""
