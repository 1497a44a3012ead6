"""Reads and moves the places of subscriptions in the changes feed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ctms.audit.bookmarks import Bookmark, list_since, read_bookmark
from ctms.audit.change_sets import WRITES
from ctms.records.api.changes.places import Place
from ctms.records.api.changes.sight import read_sight
from ctms.subscriptions.models import SubscriptionPlace
from ctms.subscriptions.topics import list_objects, open_subscribed

if TYPE_CHECKING:
    from ctms.records.access import ObjectAccess
    from ctms.subscriptions.models import RecordSubscription

# Numbers of transactions or entries after which a place is moved though nothing is told, so that little is looked at.
_FAR = 10_000


def read_place(stored: SubscriptionPlace) -> Place:
    """Return the place in the form of the feed."""
    return Place(sight=stored.sight, told=stored.told, until=stored.until, after=stored.after)


def move_place(stored: SubscriptionPlace, place: Place) -> None:
    """Save a place that was reached."""
    stored.sight, stored.told, stored.until, stored.after = place.sight, place.told, place.until, place.after
    stored.number += 1
    stored.save()


def begin_places(subscription: RecordSubscription) -> None:
    """Let the objects of a subscription be told from now on; those that are told already go on where they are."""
    names = list_objects(subscription.topics)
    subscription.places.exclude(object_name__in=names).delete()
    known = set(subscription.places.values_list("object_name", flat=True))
    now = str(read_bookmark())
    for name in names:
        access = open_subscribed(user=subscription.user, object_name=name)
        if name not in known and access is not None:
            SubscriptionPlace.objects.create(
                subscription=subscription, object_name=name, sight=read_sight(access).key, told=now
            )


def forget_sight(subscription: RecordSubscription) -> None:
    """Let the program be told to read all objects anew, as what the user sees is another thing now."""
    subscription.places.update(sight="")


def is_in_sight(*, stored: SubscriptionPlace, access: ObjectAccess) -> bool:
    """Whether the user sees the object as when the place was reached."""
    return stored.sight == read_sight(access).key


def has_news(*, stored: SubscriptionPlace, access: ObjectAccess) -> bool:
    """Whether the program may have to be told something, or the place is to be moved."""
    now, sight, since = read_bookmark(), read_sight(access), Bookmark.parse(stored.told)
    if since is None or stored.until or stored.sight != sight.key or not since.is_before(now):
        return True
    return (
        now.horizon - since.horizon > _FAR
        or list_since(since).filter(object_name=access.shape.api_name, action__in=WRITES).exists()
        or sight.may_have_moved(since)
        or bool(sight.list_brought(since))
    )
