"""The job that delivers events to webhooks: each until it is accepted, with growing waits between tries.

A receiver may get an event twice, because an answer can be lost; it knows it again by the header `webhook-id`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction

from ctms.core.clock import get_database_now
from ctms.jobs.choices import RunState
from ctms.jobs.registry import JobUnit, RunContext, RunOutcome
from ctms.webhooks.calls import CallResult, call_webhook
from ctms.webhooks.choices import OPEN_STATES, DeliveryState
from ctms.webhooks.models import Webhook, WebhookDelivery
from ctms.webhooks.sources import find_source, list_sources

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

PART = "events"  # key in the run's result
# How long an event waits after each try that failed, three days in all; after the last, only a user tries it again.
WAITS = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 720, 720, 720, 720, 720))
_MOST_AT_ONCE = 500
_BATCH = 50
_LONGEST_LABEL = 128
_INACTIVE = "The webhook is not active any more."


def list_due_units() -> list[JobUnit]:
    """Return a unit for each webhook to which something is due, or for which something is to be queued."""
    due = set(_list_due(get_database_now()).order_by().values_list("webhook", flat=True).distinct())
    for source in list_sources():
        due.update(source.list_with_news())
    webhooks = Webhook.objects.filter(is_active=True, pk__in=due).order_by("pk")
    return [
        JobUnit(key=str(each.uid), label=each.name[:_LONGEST_LABEL])
        for each in webhooks
        if not find_source(each.source).explain_hold(each)
    ]


def deliver_events(context: RunContext) -> RunOutcome:
    """Queue what is new for the webhook of the run, and send what is due, the oldest first.

    Stops at the first that fails. Webhook, user and record of each event are read anew before it is sent, for any of
    them may have changed meanwhile.
    """
    sent = 0
    for _ in range(_MOST_AT_ONCE // _BATCH):
        webhook = _find_webhook(context)
        if webhook is None:
            return _end(sent, _INACTIVE)
        find_source(webhook.source).queue_news(webhook, renew=context.lease.renew)
        batch = list(_list_due(get_database_now()).filter(webhook=webhook).order_by("pk")[:_BATCH])
        for delivery in batch:
            context.lease.stop_if_cancelled()
            result = _send(context, delivery)
            if isinstance(result, str):
                return _end(sent, result)
            if result is not None and not result.is_accepted:
                # The others would wait for the same receiver in vain.
                return RunOutcome(
                    state=RunState.FAILED if not sent else RunState.WITH_EXCEPTIONS,
                    message=result.message,
                    result={PART: {"selected": sent + 1, "sent": sent, "failed": 1}},
                )
            sent += result is not None
        if not batch:
            break
    return _end(sent, f"{sent:,} delivered.")


def _end(sent: int, message: str) -> RunOutcome:
    result = {PART: {"selected": sent, "sent": sent}}
    return RunOutcome(state=RunState.SUCCEEDED, message=message, result=result)


def _find_webhook(context: RunContext) -> Webhook | None:
    return Webhook.objects.filter(uid=context.run.unit_key, is_active=True).first()


def _list_due(now: datetime) -> QuerySet[WebhookDelivery]:
    # One that is being sent is of a worker that died: the lease lets one run at a time work on a webhook.
    return WebhookDelivery.objects.filter(state__in=OPEN_STATES, next_try_at__lte=now)


def _send(context: RunContext, delivery: WebhookDelivery) -> CallResult | str | None:
    """Send an event; return how the call ended, why nothing is sent to the webhook now, or None if it was withdrawn."""
    webhook = _find_webhook(context)
    if webhook is None:
        return _INACTIVE
    delivery.webhook, source = webhook, find_source(webhook.source)
    if hold := source.explain_hold(webhook):
        return hold
    if withdrawal := source.explain_withdrawal(delivery):
        delivery.state, delivery.next_try_at, delivery.message = DeliveryState.WITHDRAWN, None, withdrawal
        _write(context, delivery)
        return None
    return _try(context, delivery)


def _try(context: RunContext, delivery: WebhookDelivery) -> CallResult:
    delivery.attempts += 1
    delivery.state = DeliveryState.SENDING
    _write(context, delivery)
    result = call_webhook(delivery)
    now = get_database_now()
    delivery.tried_at, delivery.status_code, delivery.message = now, result.status_code, result.message
    if result.is_accepted:
        delivery.state, delivery.next_try_at = DeliveryState.DELIVERED, None
        _write(context, delivery)
    else:
        _write_refused(context, delivery, now=now)
    return result


def _write_refused(context: RunContext, delivery: WebhookDelivery, *, now: datetime) -> None:
    """Write when an event is tried again, with those that have to wait for it; or that it is not."""
    source = find_source(delivery.webhook.source)
    with transaction.atomic():
        context.lease.renew()
        delivery.state = DeliveryState.WAITING
        if delivery.attempts <= len(WAITS):
            delivery.next_try_at = now + WAITS[delivery.attempts - 1]
            if source.is_ordered:
                others = WebhookDelivery.objects.filter(webhook=delivery.webhook, state__in=OPEN_STATES)
                others.exclude(pk=delivery.pk).update(next_try_at=delivery.next_try_at)
        elif source.give_up(delivery):
            delivery.attempts, delivery.next_try_at = 0, now
        else:
            delivery.state, delivery.next_try_at = DeliveryState.FAILED, None
        delivery.save()


def _write(context: RunContext, delivery: WebhookDelivery) -> None:
    with transaction.atomic():
        context.lease.renew()
        delivery.save()
