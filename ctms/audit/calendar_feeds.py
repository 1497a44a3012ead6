"""Creating and revoking calendar feeds; the audit trail is told of both, as of every write of a tracked row."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from ctms.accounts.feeds import build_feed
from ctms.accounts.models import CalendarFeed, User
from ctms.audit.acting import acting_as
from ctms.audit.actors import Actor
from ctms.core.clock import get_now


def create_feed(*, contents: str, actor: Actor) -> tuple[CalendarFeed, str]:
    """Create the feed of the actor's user in place of the one before, which is revoked; return it with its secret.

    Raises ValidationError if `contents` is none of `FeedContents`.
    """
    feed, secret = build_feed(user=actor.user, contents=contents)
    feed.clean_fields()
    with transaction.atomic(), acting_as(actor):
        list(User.objects.select_for_update().filter(pk=actor.user.pk))  # makes simultaneous requests wait
        _revoke(CalendarFeed.objects.filter(user=actor.user))
        feed.save()
    return feed, secret


def change_feed(*, feed: CalendarFeed, contents: str, actor: Actor) -> None:
    """Let the feed show something else at the same address. Raises ValidationError if it is none of `FeedContents`."""
    feed.contents = contents
    feed.clean_fields()
    with acting_as(actor):
        CalendarFeed.objects.filter(pk=feed.pk, revoked_at__isnull=True).update(contents=contents)


def revoke_feed(*, feed: CalendarFeed, actor: Actor) -> bool:
    """Revoke a feed. Return False if it was revoked before."""
    with acting_as(actor):
        return bool(_revoke(CalendarFeed.objects.filter(pk=feed.pk)))


def _revoke(feeds: QuerySet[CalendarFeed]) -> int:
    return feeds.filter(revoked_at__isnull=True).update(revoked_at=get_now())
