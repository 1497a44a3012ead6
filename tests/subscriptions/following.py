"""Subscriptions as tests make them, and the events that they have queued and sent."""

from __future__ import annotations

import json
from typing import Any

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import execute_run, start_now
from ctms.subscriptions.models import RecordSubscription
from ctms.subscriptions.services import save_subscription
from ctms.webhooks.choices import OPEN_STATES
from ctms.webhooks.delivery import list_due_units
from ctms.webhooks.jobs import WEBHOOK_JOB_KEY
from ctms.webhooks.models import WebhookDelivery
from ctms.webhooks.services import replace_secret
from tests.factories.base import build_admin_actor

URL = "https://hooks.example.com/vault"


def subscribe(
    user: User, *objects: str, events: tuple[str, ...] = ("created", "changed", "deleted"), **values: Any
) -> RecordSubscription:
    """An active subscription with a secret, to these events of these objects."""
    subscription = RecordSubscription(user=user, topics=[f"{name}.{event}" for name in objects for event in events])
    save(subscription, **values)
    replace_secret(webhook=subscription.webhook, actor=build_admin_actor())
    return subscription


def save(subscription: RecordSubscription, *, actor: Actor | None = None, **values: Any) -> None:
    """Save a subscription as an admin does."""
    save_subscription(
        subscription=subscription,
        actor=actor or build_admin_actor(),
        **{"name": "Warehouse", "url": URL, "is_active": True, **values},
    )


def deliver() -> list[JobRun]:
    """Let one tick of the job pass."""
    runs = start_now(definition=JobDefinition.objects.get(key=WEBHOOK_JOB_KEY), user=None)
    return [run for run in (execute_run(each.pk) for each in runs) if run is not None]


def deliver_all() -> None:
    """Let ticks pass until there is nothing to do."""
    while list_due_units():
        deliver()


def list_events(subscription: RecordSubscription, *, state: str = "delivered") -> list[tuple[str, str]]:
    """The events in that state, in the order in which they were queued: type, and uid of the record."""
    found = WebhookDelivery.objects.filter(webhook=subscription.webhook, state=state).order_by("pk")
    bodies = [json.loads(each.body) for each in found]
    return [(each["type"], each["data"].get("uid__sys", "")) for each in bodies]


def count_open() -> int:
    return WebhookDelivery.objects.filter(state__in=OPEN_STATES).count()
