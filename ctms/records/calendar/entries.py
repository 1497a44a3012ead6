"""The entries of the calendar between two days, as data: for the page, the feed and whatever else shows days.

The number of statements is fixed for each source, however many entries there are: one counts them by day, one reads
those that are shown, and a few find out what the user sees and owns.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Count, DateField, F, Q, QuerySet, Value, Window
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Greatest, RowNumber

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import Configuration
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess
from ctms.records.addresses import get_record_url
from ctms.records.calendar.sources import CalendarSource, open_sources
from ctms.records.calendar.whose import Whose, limit_to_whose
from ctms.records.fields.titles import get_title
from ctms.records.fields.values import ValueReader, select_references

# Names of annotations.
_START, _END, _PLACE = "calendar_start", "calendar_end", "calendar_place"
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarEntry:
    """A record in the calendar, as its reader may see it. `start` and `end` are days, both included.

    `tone` and `state` are its state as a tone and in a word. `version` is the one from which it may be moved.
    """

    uid: UUID
    object_name: str
    object_label: str
    icon: str
    title: str
    caption: str
    url: str
    start: dt.date
    end: dt.date
    tone: str
    state: str
    is_complete: bool
    is_movable: bool
    version: int
    modified_at: dt.datetime

    @property
    def text(self) -> str:
        """Return title and caption in one line."""
        return " · ".join(filter(None, (self.title, self.caption)))

    @property
    def days(self) -> int:
        """Return how many days it lasts."""
        return (self.end - self.start).days + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Entries:
    """The entries between two days in their order, and how many there are on each day, shown or not."""

    shown: list[CalendarEntry]
    totals: Counter[dt.date]


def list_entries(
    *,
    user: User,
    first: dt.date,
    last: dt.date,
    whose: Whose | None = None,
    with_complete: bool = False,
    most: int | None = None,
) -> list[CalendarEntry]:
    """Return the user's entries that touch the days from `first` to `last`, by start; the user's own unless said.

    Completed entries of sources that leave them out are returned if asked for. `most` limits how many are read of each
    source, the earliest first.
    """
    found: list[CalendarEntry] = []
    for source, access in open_sources(user=user):
        records = _list_records(
            source=source, access=access, whose=whose or Whose(), with_complete=with_complete, first=first, last=last
        )
        found += _build_entries(source=source, access=access, records=records.order_by(_START, "pk")[:most])
    return sorted(found, key=lambda each: (each.start, each.end, each.title, each.uid))


def list_open_entries(*, user: User, first: dt.date, last: dt.date, most: int) -> list[CalendarEntry]:
    """Return the user's own entries that touch the days and are not done, by start; of each source the first `most`.

    Runs one statement for each source.
    """
    found: list[CalendarEntry] = []
    for source, access in open_sources(user=user):
        records = _list_records(
            source=source, access=access, whose=Whose(), with_complete=False, first=first, last=last
        )
        still_open = _exclude(records, source.over).order_by(_START, "pk")
        found += _build_entries(source=source, access=access, records=still_open[:most])
    return sorted(found, key=lambda each: (each.start, each.end, each.title, each.uid))


def load_entries(
    *,
    user: User,
    first: dt.date,
    last: dt.date,
    whose: Whose,
    with_complete: bool,
    per_day: int,
    configuration: Configuration | None = None,
) -> Entries:
    """Return the entries that touch the days, of each source at most `per_day` of those that begin on one day.

    What began before the first day counts as beginning on it. All of them are counted, day by day.
    """
    shown: list[CalendarEntry] = []
    totals: Counter[dt.date] = Counter()
    for source, access in open_sources(user=user, configuration=configuration):
        records = _list_records(
            source=source, access=access, whose=whose, with_complete=with_complete, first=first, last=last
        )
        spans = records.order_by().values_list(_START, _END).annotate(number=Count("pk"))
        for start, end, number in spans:
            for day in list_days(max(start, first), min(end, last)):
                totals[day] += number
        place = Window(
            RowNumber(),
            partition_by=[Greatest(F(_START), Value(first, output_field=DateField()))],
            order_by=[F(_END).desc(), F("pk").asc()],
        )
        fewest = records.annotate(**{_PLACE: place}).filter(**{f"{_PLACE}__lte": per_day})
        shown += _build_entries(source=source, access=access, records=fewest.order_by(_START, "pk"))
    return Entries(shown=shown, totals=totals)


def list_days(first: dt.date, last: dt.date) -> list[dt.date]:
    """Return the days from the first to the last, both included; none if the last is before the first."""
    return [first + number * DAY for number in range((last - first).days + 1)]


def _list_records(
    *,
    source: CalendarSource,
    access: ObjectAccess,
    whose: Whose,
    with_complete: bool,
    first: dt.date,
    last: dt.date,
) -> QuerySet[Any]:
    """Return the Active records of a source that touch the days, with their start and end."""
    records = limit_to_whose(source=source, access=access, whose=whose).filter(status=RecordStatus.ACTIVE)
    if not with_complete:
        records = _exclude(records, source.complete)
    records = _exclude(records, source.leave_out(access))
    start = _build_first(access=access, names=source.starts)
    end = Greatest(start, _build_first(access=access, names=(*source.ends, *source.starts))) if source.ends else start
    dated: QuerySet[Any] = records.annotate(**{_START: start, _END: end})
    return dated.filter(**{f"{_START}__lte": last, f"{_END}__gte": first})


def _exclude(records: QuerySet[Any], condition: Q) -> QuerySet[Any]:
    return records.exclude(condition) if condition else records


def _build_first(*, access: ObjectAccess, names: tuple[str, ...]) -> Combinable:
    """Return the first of these fields that has a value. One field stays as it is, for its index."""
    attributes = [access.shape.get_field(name).attribute for name in names]
    return F(attributes[0]) if len(attributes) == 1 else Coalesce(*attributes, output_field=DateField())


def name_entry(*, source: CalendarSource, access: ObjectAccess, record: Any) -> str:
    """Return what an entry is called, in one line, as the user may see it."""
    return " · ".join(filter(None, _Namer(source=source, access=access).name(record)))


class _Namer:
    """Names the entries of a source."""

    def __init__(self, *, source: CalendarSource, access: ObjectAccess) -> None:
        fields = access.shape.fields
        self._title = fields.get(source.title)
        self._captions = [fields[name] for name in source.captions if name in fields]
        self._reader = ValueReader(access=access)

    @property
    def fields(self) -> list[ObjectField]:
        """The fields that it reads."""
        return [*self._captions, self._title] if self._title is not None else self._captions

    def name(self, record: Any) -> tuple[str, str]:
        """Return title and caption; a record without a value for its title is called as elsewhere."""
        title = self._reader.show(record=record, field=self._title).text if self._title is not None else ""
        texts = (self._reader.show(record=record, field=each).text for each in self._captions)
        return title or get_title(record), " · ".join(filter(None, texts))


def _build_entries(*, source: CalendarSource, access: ObjectAccess, records: QuerySet[Any]) -> list[CalendarEntry]:
    namer = _Namer(source=source, access=access)
    entries = []
    for record in select_references(records=records, fields=namer.fields):
        title, caption = namer.name(record)
        tone, state = source.describe(record)
        is_movable = source.is_movable(record) and not access.explain_edit(record)
        entries.append(
            CalendarEntry(
                uid=record.uid,
                object_name=access.shape.api_name,
                object_label=access.vault_object.title,
                icon=source.icon(record) if source.icon is not None else access.vault_object.icon,
                title=title,
                caption=caption,
                url=get_record_url(record),
                start=getattr(record, _START),
                end=getattr(record, _END),
                tone=tone,
                state=state,
                is_complete=source.is_complete(record),
                is_movable=is_movable and _may_move(source=source, access=access, record=record),
                version=record.version,
                modified_at=record.modified_at,
            )
        )
    return entries


def _may_move(*, source: CalendarSource, access: ObjectAccess, record: Any) -> bool:
    """Whether the fields that move are on the record's type."""
    assigned = access.shape.get_type(getattr(record, "object_type", "")).fields
    return set(source.moved) <= set(assigned)
