"""Whose events a webhook gets. An app with events of its own registers an `EventSource` from `AppConfig.ready()`.

A webhook names its source by key. One without is told of what others queue for it, as of the alerts of a connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.webhooks.models import Webhook, WebhookDelivery


class EventSource:
    """What the delivery asks about the events of a webhook. This one answers for those that others queue.

    The events of a source that `is_ordered` are sent one after the other: none while an earlier one waits.
    """

    is_ordered = False

    def list_with_news(self) -> list[int]:
        """Return the keys of the webhooks for which events are to be queued."""
        return []

    def queue_news(self, webhook: Webhook, *, renew: Callable[[], None]) -> None:
        """Queue what is new for a webhook. Each transaction that writes calls `renew` first."""

    def explain_hold(self, webhook: Webhook) -> str:  # noqa: ARG002  for those that hold something back
        """Return why nothing is sent to a webhook now, and all is kept; empty if it is sent."""
        return ""

    def explain_withdrawal(self, delivery: WebhookDelivery) -> str:  # noqa: ARG002  for those that withdraw something
        """Return why an event is not to be sent any more; empty if it is."""
        return ""

    def give_up(self, delivery: WebhookDelivery) -> bool:  # noqa: ARG002  for those that lose nothing
        """Do what follows when an event was refused for the last time. Return whether it waits, and is not Failed.

        Called in the transaction in which that is written.
        """
        return False


_QUEUED_BY_OTHERS = EventSource()
_sources: dict[str, EventSource] = {}


def register_source(key: str, source: EventSource) -> None:
    """Register a source under its key; called once, when the app is ready."""
    _sources[key] = source


def find_source(key: str) -> EventSource:
    """Return the source of that key; the one for events that others queue, if there is none."""
    return _sources.get(key, _QUEUED_BY_OTHERS)


def list_sources() -> list[EventSource]:
    """Return the sources that were registered."""
    return list(_sources.values())
