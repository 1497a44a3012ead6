"""Pages of the changes feed: what happened to the records of an object since a bookmark, or all records there are.

A record is told once, as it is now. No clock decides what is told: the bookmarks are those of the transfer, by which an
entry of a transaction that ended late is not passed over.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ctms.audit.bookmarks import Bookmark, list_changed_uids, list_since, read_bookmark
from ctms.audit.change_sets import WRITES
from ctms.core.lookups import AmongKeys
from ctms.records.api.changes.histories import Change, History, UnknownSightError
from ctms.records.api.changes.places import Place, read_place, write_place
from ctms.records.api.changes.sight import OBJECT_TYPE, Sight, read_sight
from ctms.records.api.serializers import show_records
from ctms.records.fields.values import select_references

if TYPE_CHECKING:
    from collections.abc import Collection
    from uuid import UUID

    from ctms.audit.models import AuditEntry
    from ctms.records.access import ObjectAccess

# After more changes than this, all records are told: to find the next page among them costs more then.
MOST_CHANGES = 100_000
_COLUMNS = ("record_uid", "action", "at", "actor_name", "study_uid", "changes", "words")
_AMONG = AmongKeys.lookup_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What is told of one record. `entry` is the last about it; None where all records are told, or it is hidden."""

    change: Change
    uid: UUID
    entry: AuditEntry | None = None
    record: Any = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page of the feed, and the place after it."""

    told: list[Told]
    place: Place
    begins_anew: bool = False


def build_page(*, access: ObjectAccess, since: str, size: int) -> dict[str, Any]:
    """Return the answer: the page of at most `size` records after the bookmark `since`; all records, if it is empty.

    Raises InvalidBookmarkError.
    """
    place = read_place(since, access=access) if since else None
    now, sight = read_bookmark(), read_sight(access)
    page = None
    if place is not None and place.sight == sight.key and place.is_before(now):
        feed = Feed(access=access, sight=sight, size=size)
        place = place if place.until else replace(place, until=str(now))
        page = feed.tell_all(place) if place.tells_all else feed.tell_changes(place)
    if page is None:
        anew = Place(sight=sight.key, told=str(now), until=str(now), tells_all=True)
        page = replace(Feed(access=access, sight=sight, size=size).tell_all(anew), begins_anew=True)
    return {
        "reset": page.begins_anew,
        "results": _show(page.told, access=access),
        "bookmark": write_place(page.place, access=access),
        "more": bool(page.place.until),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """The feed of one object for one reader, in pages of `size` records."""

    access: ObjectAccess
    sight: Sight
    size: int

    def tell_all(self, place: Place) -> Page:
        """Return the next page of all records that the reader sees, in the order of their keys."""
        records = self._select().filter(pk__gt=int(place.after or 0)).order_by("pk")
        found = list(records[: self.size + 1])
        page, is_last = found[: self.size], len(found) <= self.size
        return Page(
            told=[Told(change=Change.PRESENT, uid=record.uid, record=record) for record in page],
            place=_move(place, after="" if is_last else str(page[-1].pk)),
        )

    def tell_changes(self, place: Place) -> Page | None:
        """Return the next page of what was changed, in the order of the uids; None if all records have to be told."""
        since = Bookmark.parse(place.told)
        if since is None or self.sight.may_have_moved(since):
            return None
        name = self.access.shape.api_name
        changed = list_changed_uids(object_names={name}, since=since, most=MOST_CHANGES)
        if changed is None:
            return None
        brought = self.sight.list_brought(since)
        left = sorted(uid for uid in changed[name] | brought if uid.hex > place.after)
        page, is_last = left[: self.size], len(left) <= self.size
        try:
            told = self._tell(uids=page, since=since, brought=brought)
        except UnknownSightError:
            return None
        return Page(told=told, place=_move(place, after="" if is_last else page[-1].hex))

    def _tell(self, *, uids: Collection[UUID], since: Bookmark, brought: Collection[UUID]) -> list[Told]:
        """Return what is told of the records; nothing of what was only noted of one. Raises UnknownSightError."""
        if not uids:
            return []
        entries = self._read_entries(uids=uids, since=since)
        present = {record.uid: record for record in self._select().filter(**{f"uid__{_AMONG}": list(uids)})}
        types = self._read_types([uid for uid in entries if uid not in present])
        told = []
        for uid in uids:
            if uid not in entries and uid not in brought:
                continue
            record = present.get(uid)
            object_type = getattr(record, OBJECT_TYPE, None) if record is not None else types.get(uid)
            history = History(sight=self.sight, entries=entries.get(uid, []), object_type=object_type)
            change = history.tell_present() if record is not None else history.tell_gone()
            if change is not None:
                entry = history.last if change != Change.WENT_OUT_OF_SIGHT else None
                told.append(Told(change=change, uid=uid, entry=entry, record=record))
        return told

    def _read_entries(self, *, uids: Collection[UUID], since: Bookmark) -> dict[UUID, list[AuditEntry]]:
        """Return the entries about each of the records that were written since then, oldest first."""
        entries = list_since(since).filter(
            **{"object_name": self.access.shape.api_name, f"record_uid__{_AMONG}": list(uids), "action__in": WRITES}
        )
        found: dict[UUID, list[AuditEntry]] = {}
        for entry in entries.order_by("id").only(*_COLUMNS):
            if entry.record_uid is not None:
                found.setdefault(entry.record_uid, []).append(entry)
        return found

    def _read_types(self, uids: Collection[UUID]) -> dict[UUID, str]:
        """Return the object types of those of the records that are there, seen or not; none if the reader sees all."""
        if not uids or self.sight.types is None:
            return {}
        records = self.access.vault_object.model._base_manager.filter(**{f"uid__{_AMONG}": list(uids)})
        return dict(records.values_list("uid", OBJECT_TYPE))

    def _select(self) -> Any:
        return select_references(records=self.access.list_records(), fields=self.access.shape.fields.values())


def _move(place: Place, *, after: str) -> Place:
    """Return the place after a page; `after` is empty after the last one."""
    if after:
        return replace(place, after=after)
    return Place(sight=place.sight, told=place.until)


def _show(told: list[Told], *, access: ObjectAccess) -> list[dict[str, Any]]:
    present = [each.record for each in told if each.record is not None]
    shown = iter(show_records(records=present, access=access))
    return [
        {
            "change": each.change.value,
            "uid__sys": str(each.uid),
            "at": each.entry.at.isoformat().replace("+00:00", "Z") if each.entry is not None else None,
            "by": each.entry.actor_name if each.entry is not None else None,
            "record": next(shown) if each.record is not None else None,
        }
        for each in told
    ]
