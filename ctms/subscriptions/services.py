"""Saves, switches off and deletes subscriptions."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError
from django.db import transaction

from ctms.accounts.granting import explain_acting_for
from ctms.audit.actors import build_system_actor
from ctms.audit.services import delete_record, save_record
from ctms.core.clock import get_database_now
from ctms.subscriptions.models import SOURCE, RecordSubscription, SwitchOffNotice
from ctms.subscriptions.places import begin_places, forget_sight
from ctms.subscriptions.topics import check_topics
from ctms.webhooks.choices import OPEN_STATES
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import save_webhook

if TYPE_CHECKING:
    from ctms.audit.actors import Actor


def save_subscription(
    *,
    subscription: RecordSubscription,
    name: str,
    url: str,
    is_active: bool,
    actor: Actor,
    expected_version: int | None = None,
    webhook_version: int | None = None,
) -> None:
    """Save a subscription with its webhook. A new one is told what happens from now on.

    Secrets belong to the host that they were made for: another host is told nothing until a secret was made for it.

    Raises ValidationError for topics that the user may not read, and for a user of whom `actor` may not learn what
    that user sees, unless it is switched off; and the errors of `save_record`.
    """
    if is_active:
        require_rights(subscription=subscription, actor=actor)
        check_topics(topics=subscription.topics, user=subscription.user)
    with transaction.atomic():
        stored = RecordSubscription.objects.select_for_update().filter(pk=subscription.pk).first()
        webhook = stored.webhook if stored is not None else Webhook(source=SOURCE)
        was_active = webhook.is_active
        if urlsplit(webhook.url).hostname != urlsplit(url).hostname:
            webhook.secret, webhook.previous_secret, webhook.secret_set_at = "", "", None
        webhook.name, webhook.url, webhook.is_active = name, url, is_active
        save_webhook(webhook=webhook, actor=actor, expected_version=webhook_version)
        subscription.webhook = webhook
        save_record(record=subscription, actor=actor, expected_version=expected_version)
        begin_places(subscription)
        if stored is not None and stored.user_id != subscription.user_id:
            forget_sight(subscription)
        if is_active and not was_active:
            _switch_on(subscription)


def require_rights(*, subscription: RecordSubscription, actor: Actor) -> None:
    """Raise ValidationError if the actor must not learn what the user of a subscription sees."""
    if refusal := explain_acting_for(giver=actor.user, user=subscription.user):
        raise ValidationError({"user": refusal})


def switch_off(*, subscription: RecordSubscription, reason: str) -> None:
    """Switch a subscription off whose receiver takes nothing; its user is told by e-mail, and nothing is lost."""
    webhook = subscription.webhook
    webhook.is_active = False
    why = f"The receiver took nothing for three days. {reason}"
    save_record(record=webhook, actor=build_system_actor(source="job"), reason=why, validate=False)
    SwitchOffNotice.objects.update_or_create(
        subscription=subscription,
        defaults={"at": get_database_now(), "reason": why, "is_mailed": False, "attempts": 0, "problem": ""},
    )


def delete_subscription(*, subscription: RecordSubscription, actor: Actor) -> None:
    """Delete a subscription with its webhook and what was or is to be sent. Raises the errors of `delete_record`."""
    with transaction.atomic():
        webhook = subscription.webhook
        delete_record(record=subscription, actor=actor)
        delete_record(record=webhook, actor=actor)


def _switch_on(subscription: RecordSubscription) -> None:
    SwitchOffNotice.objects.filter(subscription=subscription).delete()
    waiting = WebhookDelivery.objects.filter(webhook=subscription.webhook, state__in=OPEN_STATES)
    waiting.update(attempts=0, next_try_at=get_database_now())
