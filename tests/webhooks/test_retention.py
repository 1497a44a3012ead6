"""Deliveries that have ended go when they are old; what is still to be delivered stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ctms.core.clock import get_now
from ctms.webhooks.choices import DeliveryState
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import save_webhook
from tests.factories.base import build_admin_actor
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


def test_ended_deliveries_go_and_others_stay() -> None:
    webhook = Webhook(name="Hook", url="https://hooks.example.com/vault")
    save_webhook(webhook=webhook, actor=build_admin_actor(), secret="webhook-secret-of-tests-alone")
    for state in DeliveryState:
        for days in (91, 89):
            WebhookDelivery.objects.create(
                webhook=webhook,
                key=f"{state}:{days}",
                event="test",
                body="{}",
                state=state,
                created_at=get_now() - timedelta(days=days),
            )
    assert keep_house().result["webhook_deliveries"] == {"deleted": 3}
    assert set(WebhookDelivery.objects.values_list("key", flat=True)) == {
        "waiting:91", "waiting:89", "sending:91", "sending:89", "delivered:89", "failed:89",
        "withdrawn:89",
    }  # fmt: skip
