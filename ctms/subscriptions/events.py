"""The events of subscriptions: what the changes feed tells the user of a subscription, without the records.

An event names a record and where to read it. What the program gets of the record, it asks for as its user. Its key is
the last entry of the audit trail about the record, so that the same is queued once. The audit trail is the queue: the
next page is queued when the one before was sent, so a receiver that is down keeps nothing but its place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from ctms.audit.bookmarks import read_bookmark
from ctms.core.clock import get_database_now
from ctms.records.api.changes.histories import Change
from ctms.records.api.changes.pages import Feed
from ctms.records.api.changes.places import Place
from ctms.records.api.changes.sight import read_sight
from ctms.subscriptions.models import RecordSubscription, SubscriptionPlace
from ctms.subscriptions.places import has_news, is_in_sight, move_place, read_place
from ctms.subscriptions.services import switch_off
from ctms.subscriptions.topics import RESET, TOPICS, open_subscribed
from ctms.webhooks.choices import OPEN_STATES, DeliveryState
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.services import TEST_EVENT, write_body
from ctms.webhooks.sources import EventSource

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from ctms.records.access import ObjectAccess
    from ctms.records.api.changes.pages import Told

PAGE = 200
_GONE = (Change.DELETED, Change.WENT_OUT_OF_SIGHT)


class RecordEvents(EventSource):
    """Events of records, in the order in which each record was changed."""

    is_ordered = True

    def list_with_news(self) -> list[int]:
        active = RecordSubscription.objects.filter(webhook__is_active=True).select_related("webhook", "user")
        return [each.webhook_id for each in active if not _explain_hold(each) and _has_news(each)]

    def queue_news(self, webhook: Webhook, *, renew: Callable[[], None]) -> None:
        subscription = _find_subscription(webhook)
        if subscription is None or _explain_hold(subscription):
            return
        for name in subscription.places.order_by("object_name").values_list("object_name", flat=True):
            with transaction.atomic():
                renew()
                stored = subscription.places.select_for_update().filter(object_name=name).first()
                if stored is not None:
                    _queue_page(subscription, stored)

    def explain_hold(self, webhook: Webhook) -> str:
        subscription = _find_subscription(webhook)
        return _explain_hold(subscription) if subscription is not None else "The subscription was deleted."

    def explain_withdrawal(self, delivery: WebhookDelivery) -> str:
        subscription = _find_subscription(delivery.webhook)
        if subscription is None or delivery.event == TEST_EVENT:
            return ""
        return _explain_withdrawal(subscription, delivery)

    def give_up(self, delivery: WebhookDelivery) -> bool:
        subscription = _find_subscription(delivery.webhook)
        if subscription is not None:
            switch_off(subscription=subscription, reason=delivery.message)
        return subscription is not None


def _find_subscription(webhook: Webhook) -> RecordSubscription | None:
    return (
        RecordSubscription.objects.filter(webhook=webhook).select_related("webhook", "user__security_profile").first()
    )


def _explain_hold(subscription: RecordSubscription) -> str:
    if not subscription.webhook.secret:
        return "It has no secret yet. Make one on its page."
    if not subscription.user.is_active or subscription.user.has_ended:
        return f"{subscription.user} is not active. What happens is told when the user is active again."
    return ""


def _explain_withdrawal(subscription: RecordSubscription, delivery: WebhookDelivery) -> str:
    """Return why the program is not told an event any more; empty if its user may learn it now."""
    name, _, event = delivery.event.rpartition(".")
    stored = subscription.places.filter(object_name=name).first()
    access = open_subscribed(user=subscription.user, object_name=name)
    if stored is None or access is None:
        return "The user may not read the object any more, or it is not subscribed to."
    if event == RESET:
        return ""
    if f"{name}.{TOPICS[Change(event)].value}" not in subscription.topics:
        return "The event is not subscribed to any more."
    if not is_in_sight(stored=stored, access=access):
        return "What the user sees has changed since. The program is told to read the object anew."
    uid = delivery.key.split(":")[1]
    if event not in _GONE and not access.list_records().filter(uid=uid).exists():
        return "The record was deleted since, or the user does not see it any more."
    return ""


def _has_news(subscription: RecordSubscription) -> bool:
    waits = _list_waiting(subscription).exists()
    for stored in subscription.places.all():
        access = open_subscribed(user=subscription.user, object_name=stored.object_name)
        if access is None:
            if stored.sight:
                return True
        elif not is_in_sight(stored=stored, access=access) if waits else has_news(stored=stored, access=access):
            return True
    return False


def _list_waiting(subscription: RecordSubscription) -> Any:
    waiting = WebhookDelivery.objects.filter(webhook=subscription.webhook, state__in=OPEN_STATES)
    return waiting.exclude(event=TEST_EVENT)


def _queue_page(subscription: RecordSubscription, stored: SubscriptionPlace) -> None:
    """Queue the next page of an object, if the one before was sent, and move the place, in the caller's transaction."""
    access = open_subscribed(user=subscription.user, object_name=stored.object_name)
    if access is None:
        if stored.sight:
            _withdraw(subscription, stored.object_name, "The user may not read the object any more.")
            move_place(stored, replace(read_place(stored), sight=""))
        return
    now, sight = read_bookmark(), read_sight(access)
    place = read_place(stored)
    if place.sight == sight.key and place.is_before(now):
        if _list_waiting(subscription).exists():
            return
        place = place if place.until else replace(place, until=str(now))
        page = Feed(access=access, sight=sight, size=PAGE).tell_changes(place)
        if page is not None:
            _queue([event for told in page.told for event in _build_events(subscription, stored, told)])
            move_place(stored, page.place)
            return
    _withdraw(subscription, stored.object_name, "The program is told to read the object anew instead.")
    _queue([_build_reset(subscription, stored, access)])
    move_place(stored, Place(sight=sight.key, told=str(now)))


def _build_events(subscription: RecordSubscription, stored: SubscriptionPlace, told: Told) -> list[WebhookDelivery]:
    """Return the event of what is told of a record; none if it is not subscribed to."""
    name = stored.object_name
    if f"{name}.{TOPICS[told.change].value}" not in subscription.topics:
        return []
    entry = told.entry.pk if told.entry is not None else f"page-{stored.number}"
    data: dict[str, Any] = {"object": name, "uid__sys": str(told.uid), "version": getattr(told.record, "version", None)}
    if told.change not in _GONE:
        data["url"] = f"{settings.VAULT_BASE_URL.rstrip('/')}/api/v1/{name}/{told.uid}/"
    return [
        _build(
            subscription,
            event=f"{name}.{told.change.value}",
            key=f"{name}:{told.uid}:{entry}",
            at=told.entry.at if told.entry is not None else get_database_now(),
            data=data,
        )
    ]


def _build_reset(subscription: RecordSubscription, stored: SubscriptionPlace, access: ObjectAccess) -> WebhookDelivery:
    name = access.shape.api_name
    return _build(
        subscription,
        event=f"{name}.{RESET}",
        key=f"{name}:{RESET}:{stored.number}",
        at=get_database_now(),
        data={"object": name, "url": f"{settings.VAULT_BASE_URL.rstrip('/')}/api/v1/{name}/changes/"},
    )


def _build(
    subscription: RecordSubscription, *, event: str, key: str, at: datetime, data: dict[str, Any]
) -> WebhookDelivery:
    now, webhook = get_database_now(), subscription.webhook
    body = write_body(webhook=webhook, event=event, key=key, at=at, data=data)
    return WebhookDelivery(webhook=webhook, key=key, event=event, body=body, created_at=now, next_try_at=now)


def _queue(events: list[WebhookDelivery]) -> None:
    """Queue events; what was queued under the same key before is not queued again."""
    WebhookDelivery.objects.bulk_create(events, ignore_conflicts=True)


def _withdraw(subscription: RecordSubscription, object_name: str, message: str) -> None:
    _list_waiting(subscription).filter(event__startswith=f"{object_name}.").update(
        state=DeliveryState.WITHDRAWN, next_try_at=None, message=message
    )
