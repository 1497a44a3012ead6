"""Records that a user marked with a star, and those opened last."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, Value

from ctms.accounts.models import User
from ctms.configuration.snapshot import Configuration
from ctms.core.clock import get_now
from ctms.core.request_memory import remember
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
    kept = _list_kept(user=user, configuration=configuration)
    return [each.link for each in kept if not each.is_favourite and each.uid != without][:limit]


def list_favourites(*, user: User, limit: int, configuration: Configuration | None = None) -> list[RecordLink]:
    """Return links to the user's favourites that the user still sees, latest first."""
    kept = _list_kept(user=user, configuration=configuration)
    return [each.link for each in kept if each.is_favourite][:limit]


class _Kept(NamedTuple):
    """A record that the user marked or opened, and still sees."""

    is_favourite: bool
    uid: UUID
    link: RecordLink


def _list_kept(*, user: User, configuration: Configuration | None) -> list[_Kept]:
    """Return what the user marked and opened, latest first. The header of each page shows both: two statements."""
    return remember(("kept records", user.pk), lambda: _read_kept(user=user, configuration=configuration))


def _read_kept(*, user: User, configuration: Configuration | None) -> list[_Kept]:
    statement, parameters = _build_statement()
    with connection.cursor() as cursor:
        cursor.execute(statement, [user.pk if each == _ANYBODY else each for each in parameters])
        # SQLite keeps a uid as text.
        found = [(bool(marked), of_object, UUID(str(uid))) for marked, of_object, uid, *_ in cursor.fetchall()]
    links = find_links(user=user, references=[(name, uid) for _, name, uid in found], configuration=configuration)
    return [_Kept(marked, uid, links[uid]) for marked, _, uid in found if uid in links]


# Stands for the key of the user in the statement that is kept.
_ANYBODY = -1


@cache
def _build_statement() -> tuple[str, tuple[Any, ...]]:
    """SQL and parameters; built once, for it is asked in every page."""
    columns = ("is_favourite", "of_object", "record_uid", "at", "pk")
    opened, marked = (
        model._default_manager.order_by()
        .filter(user_id=_ANYBODY)
        .annotate(is_favourite=Value(is_favourite), at=F(moment))
        .values_list(*columns)
        for model, is_favourite, moment in ((RecentView, False, "viewed_at"), (Favourite, True, "created_at"))
    )
    # What was opened comes first, and is not more than so many.
    both = opened.union(marked, all=True).order_by("is_favourite", "-at", "-pk")[: 2 * MOST_KEPT]
    statement, parameters = both.query.sql_with_params()
    return statement, tuple(parameters)
