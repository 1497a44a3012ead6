"""Records that a user marked with a star, and those opened last."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ctms.accounts.models import User
from ctms.configuration.snapshot import Configuration
from ctms.core.clock import get_now
from ctms.records.fields.record_links import RecordLink, find_links
from ctms.records.models import Favourite, RecentView

# More than a menu shows, because records that were deleted or are no longer visible are skipped.
MOST_KEPT = 50


def is_favourite(*, user: User, record: Any) -> bool:
    """Whether the user marked the record as a favourite."""
    return Favourite.objects.filter(user=user, record_uid=record.uid).exists()


def switch_favourite(*, user: User, record: Any) -> bool:
    """Mark the record as a favourite, or unmark it. Return whether it is marked now."""
    removed, _ = Favourite.objects.filter(user=user, record_uid=record.uid).delete()
    if removed:
        return False
    marked = Favourite(user=user, of_object=record.object_name, record_uid=record.uid)
    # Of two requests at the same time, the second changes nothing.
    Favourite.objects.bulk_create([marked], ignore_conflicts=True)
    return True


def note_view(*, user: User, record: Any) -> None:
    """Remember that the user opened the record; the last `MOST_KEPT` are kept for each user."""
    view = RecentView(user=user, of_object=record.object_name, record_uid=record.uid, viewed_at=get_now())
    RecentView.objects.bulk_create(
        [view], update_conflicts=True, unique_fields=["user", "record_uid"], update_fields=["viewed_at"]
    )
    views = RecentView.objects.filter(user=user).order_by("-viewed_at", "-id")
    RecentView.objects.filter(pk__in=views.values("pk")[MOST_KEPT:]).delete()


def list_recent(
    *, user: User, limit: int, configuration: Configuration | None = None, without: UUID | None = None
) -> list[RecordLink]:
    """Return links to records that the user opened last and still sees, latest first, except that of uid `without`."""
    views = RecentView.objects.filter(user=user).order_by("-viewed_at", "-id").values_list("of_object", "record_uid")
    references = [(of_object, uid) for of_object, uid in views[:MOST_KEPT] if uid != without]
    return _show(user=user, references=references, limit=limit, configuration=configuration)


def list_favourites(*, user: User, limit: int, configuration: Configuration | None = None) -> list[RecordLink]:
    """Return links to the user's favourites that the user still sees, latest first."""
    marked = Favourite.objects.filter(user=user).values_list("of_object", "record_uid")
    return _show(user=user, references=list(marked[:MOST_KEPT]), limit=limit, configuration=configuration)


def _show(
    *, user: User, references: list[tuple[str, UUID]], limit: int, configuration: Configuration | None
) -> list[RecordLink]:
    links = find_links(user=user, references=references, configuration=configuration)
    return [links[uid] for _, uid in references if uid in links][:limit]
