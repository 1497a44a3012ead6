"""Read the entries of a timeline: one statement for each source and direction, limited by keys, then merged by day."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from django.db.models import F, Q, QuerySet

from ctms.configuration.scope import find_study_path
from ctms.core.choices import RecordStatus
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess, open_related
from ctms.records.fields.values import select_references
from ctms.records.lists.search import search_records
from ctms.records.requests import MOST_DIGITS
from ctms.records.timelines.filters import DONE, OPEN, TimelineFilters
from ctms.records.timelines.sources import TimelineKind, TimelineSource, list_sources

_DAY = "timeline_day"
_MOST_UNDATED = 10
_NO_PLACE = "The timeline has no such place. Go back to today."


class InvalidPlaceError(VaultError):
    """The place in the address cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """An entry's place: entries are ordered by day, of one day by source, then by primary key, newest first."""

    day: dt.date
    source: str
    pk: int

    @classmethod
    def read(cls, text: str) -> Place:
        """Read what `str` writes, such as `2026-11-03.crm_activity__v.4711`. Raises InvalidPlaceError."""
        day, _, rest = text.partition(".")
        source, _, number = rest.rpartition(".")
        is_number = number.isdecimal() and len(number) <= MOST_DIGITS
        try:
            return cls(day=dt.date.fromisoformat(day), source=source, pk=int(number if is_number else ""))
        except ValueError as error:
            raise InvalidPlaceError(_NO_PLACE) from error

    def __str__(self) -> str:
        return f"{self.day.isoformat()}.{self.source}.{self.pk}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A record with its source and its day, which is None if it has none yet."""

    source: TimelineSource
    record: Any
    day: dt.date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stretch:
    """Entries of a part of a timeline, latest first, and whether there are later and earlier ones."""

    found: list[Found]
    has_later: bool
    has_earlier: bool


@dataclass(frozen=True, kw_only=True)
class TimelineReader:
    """Reads what a user sees of the timeline of one record."""

    access: ObjectAccess
    record: Any
    filters: TimelineFilters
    today: dt.date

    @cached_property
    def opened(self) -> dict[TimelineSource, ObjectAccess]:
        """The sources of which the user may read anything."""
        sources = list_sources(self.access.shape.api_name)
        found = [(each, open_related(access=self.access, object_name=each.object_name)) for each in sources]
        return {source: access for source, access in found if access is not None}

    @cached_property
    def kinds(self) -> list[TimelineKind]:
        """The kinds that the user may read."""
        return list_kinds(self.opened)

    def read_around(self, *, later: int, earlier: int) -> Stretch:
        """Return the entries around today: at most so many that are to come, and so many of today and before."""
        coming, past = self._read_later(most=later + 1), self._read_earlier(most=earlier + 1)
        return Stretch(
            found=[*reversed(coming[:later]), *past[:earlier]],
            has_later=len(coming) > later,
            has_earlier=len(past) > earlier,
        )

    def read_before(self, place: Place, *, size: int) -> Stretch:
        """Return the entries before a place, and before today if that lies between."""
        found = self._read_earlier(most=size + 1, place=place)
        return Stretch(found=found[:size], has_later=True, has_earlier=len(found) > size)

    def read_after(self, place: Place, *, size: int) -> Stretch:
        """Return the entries after a place, those nearest to it."""
        found = self._read_later(most=size + 1, place=place)
        return Stretch(found=[*reversed(found[:size])], has_later=len(found) > size, has_earlier=True)

    def read_undated(self) -> list[Found]:
        """Return entries that have no day yet; none if the filter is about days."""
        if self.filters.list_days(self.today) != (None, None):
            return []
        found: list[Found] = []
        for source in self.opened:
            if source.may_lack_day:
                records = self._list(source).filter(**{f"{_DAY}__isnull": True}).order_by("-pk")
                found += [Found(source=source, record=each, day=None) for each in records[:_MOST_UNDATED]]
        return found

    def list_followers(self, found: Iterable[Found]) -> dict[tuple[str, int], list[Found]]:
        """Return the records that follow entries, by object and primary key of the entry."""
        keys: dict[type[Any], list[int]] = {}
        for each in found:
            keys.setdefault(each.source.model, []).append(each.record.pk)
        followers: dict[tuple[str, int], list[Found]] = {}
        for source, access in self.opened.items():
            for name in source.follows:
                target: Any = source.model._meta.get_field(name).related_model
                if not keys.get(target):
                    continue
                records = self._select(source, self._reach(source, access)).filter(
                    source.follower or Q(), **{f"{name}__in": keys[target]}
                )
                for each in records.order_by("pk"):
                    key = (target.object_name, getattr(each, f"{name}_id"))
                    followers.setdefault(key, []).append(Found(source=source, record=each, day=None))
        return followers

    def list_studies(self, *, most: int = 1000) -> set[int]:
        """Return the keys of the studies of the newest entries, whatever the filter."""
        keys: set[int | None] = set()
        for source, access in self.opened.items():
            dated = self._reach(source, access).annotate(**{_DAY: source.day})
            newest = dated.order_by(F(_DAY).desc(nulls_last=True))
            keys.update(newest.values_list(find_study_path(source.model), flat=True)[:most])
        return {each for each in keys if each is not None}

    # -- One source -----------------------------------------------------------------------------------------------
    def _reach(self, source: TimelineSource, access: ObjectAccess) -> QuerySet[Any]:
        """Return the Active records of a source that belong to the timeline, and that the user sees."""
        reached = source.reach[self.access.shape.api_name](self.access, self.record)
        records: QuerySet[Any] = access.list_records().filter(reached, status=RecordStatus.ACTIVE)
        return records

    def _select(self, source: TimelineSource, records: QuerySet[Any]) -> QuerySet[Any]:
        shape = self.opened[source].shape
        fields = [shape.fields[name] for name in source.facts if name in shape.fields]
        return select_references(records=records.annotate(**{_DAY: source.day}), fields=fields)

    def _chosen_kinds(self, source: TimelineSource) -> list[TimelineKind]:
        shown = [each for each in source.kinds if each in self.kinds]
        return [each for each in shown if self.filters.kind in ("", each.name)]

    def _list(self, source: TimelineSource) -> QuerySet[Any]:
        """Return the entries of one source that fulfil the filters, with their day, in no order."""
        filters, access = self.filters, self.opened[source]
        kinds = self._chosen_kinds(source)
        condition = Q() if kinds and not filters.problems else Q(pk__in=[])
        if kinds and all(each.object_type for each in kinds) and len(kinds) < len(source.kinds):
            condition &= Q(object_type__in=[each.object_type for each in kinds])
        if filters.channel:
            condition &= source.channels.get(filters.channel, Q(pk__in=[]))
        if filters.study is not None:
            condition &= Q(**{f"{find_study_path(source.model)}__uid": filters.study})
        if filters.state:
            condition &= {OPEN: source.is_open, DONE: source.is_done}[filters.state](self.today)
        first, last = filters.list_days(self.today)
        days = {f"{_DAY}__gte": first, f"{_DAY}__lte": last}
        condition &= Q(**{name: day for name, day in days.items() if day is not None})
        records = self._select(source, self._reach(source, access)).filter(condition)
        records = self._leave_out_followers(source, records)
        if filters.words:
            searched = replace(
                access.vault_object,
                search_fields=(*access.vault_object.search_fields, *filter(None, (source.excerpt,))),
            )
            records = search_records(access=access, records=records, vault_object=searched, query=filters.words)
        return records

    def _leave_out_followers(self, source: TimelineSource, records: QuerySet[Any]) -> QuerySet[Any]:
        if source.follower is None:
            return records
        for name in source.follows:
            target = source.model._meta.get_field(name).related_model
            for other, access in self.opened.items():
                if other.model is target and self._chosen_kinds(other):
                    shown = self._reach(other, access).order_by().values("pk")
                    records = records.exclude(source.follower & Q(**{f"{name}__isnull": False, f"{name}__in": shown}))
        return records

    # -- Two directions -------------------------------------------------------------------------------------------
    def _read_earlier(self, *, most: int, place: Place | None = None) -> list[Found]:
        limits = [Q(**{f"{_DAY}__lte": self.today})] * len(self.opened) if place is None else self._limit(place, "lt")
        return self._merge(limits=limits, most=most, backwards=True)

    def _read_later(self, *, most: int, place: Place | None = None) -> list[Found]:
        limits = [Q(**{f"{_DAY}__gt": self.today})] * len(self.opened) if place is None else self._limit(place, "gt")
        return self._merge(limits=limits, most=most, backwards=False)

    def _limit(self, place: Place, lookup: str) -> list[Q]:
        """Return for each source the condition for entries before (`lt`) or after (`gt`) a place.

        Of one day, the entries of a source registered earlier are later in time.
        """
        names = [each.object_name for each in self.opened]
        if place.source not in names:
            raise InvalidPlaceError(_NO_PLACE)
        rank = names.index(place.source)
        limits = []
        for index in range(len(names)):
            same_day = Q(**{_DAY: place.day})
            is_beyond = index > rank if lookup == "lt" else index < rank
            beside = same_day if is_beyond else same_day & Q(**{f"pk__{lookup}": place.pk}) if index == rank else None
            limit = Q(**{f"{_DAY}__{lookup}": place.day})
            # The first condition lets the database begin in its index.
            begin = Q(**{f"{_DAY}__{lookup}e": place.day})
            limits.append(begin & (limit | beside) if beside is not None else limit)
        return limits

    def _merge(self, *, limits: list[Q], most: int, backwards: bool) -> list[Found]:
        found: list[tuple[dt.date, int, int, Found]] = []
        for rank, (source, limit) in enumerate(zip(self.opened, limits, strict=True)):
            order = ("-" if backwards else "") + _DAY, ("-" if backwards else "") + "pk"
            for record in self._list(source).filter(limit).order_by(*order)[:most]:
                day = getattr(record, _DAY)
                found.append((day, -rank, record.pk, Found(source=source, record=record, day=day)))
        found.sort(key=lambda each: each[:3], reverse=backwards)
        return [each[3] for each in found[:most]]


def list_kinds(opened: dict[TimelineSource, ObjectAccess]) -> list[TimelineKind]:
    """Return the kinds of the sources that the user may read."""
    return [
        kind
        for source, access in opened.items()
        for kind in source.kinds
        if not kind.object_type or access.allows("read", kind.object_type)
    ]
