"""The page of a timeline, and its beginning on the page of the record that it is of."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Q
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format

from ctms.configuration.registry import list_record_objects
from ctms.configuration.scope import is_study
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import build_record_url
from ctms.records.fields.titles import get_title, mention_record
from ctms.records.timelines.events import TimelineEvent, build_events
from ctms.records.timelines.filters import (
    CHANNEL,
    FROM,
    KIND,
    LAST_90_DAYS,
    PERIOD,
    PERIODS,
    STATE,
    STATES,
    STUDY,
    TO,
    WORDS,
    TimelineFilters,
    describe_days,
    read_filters,
)
from ctms.records.timelines.reading import Place, Stretch, TimelineReader
from ctms.records.timelines.sources import list_channels, list_sources

PAGE = "timeline"
BEFORE, AFTER = "before", "after"
_LATER, _EARLIER = 5, 25
_LATER_ON_RECORD, _EARLIER_ON_RECORD = 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """An option of a filter."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterField:
    """A filter with its options; without options it takes a day."""

    name: str
    label: str
    choices: tuple[Choice, ...] = ()
    value: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePart:
    """Entries with the addresses of later and earlier ones, which are empty if there are none.

    `shows_today` says whether today is among the days that the filters let through.
    """

    events: list[TimelineEvent]
    undated: list[TimelineEvent]
    later_url: str
    earlier_url: str
    today: dt.date
    shows_today: bool

    @property
    def is_all_coming(self) -> bool:
        """Whether there is nothing of today or before, so that today comes after the entries."""
        last = self.events[-1].day if self.events else None
        return self.shows_today and not self.earlier_url and last is not None and last > self.today

    @property
    def is_empty(self) -> bool:
        return not self.events and not self.undated


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineSection:
    """The beginning of a timeline on the page of its record."""

    part: TimelinePart
    url: str
    recent_url: str
    open_url: str


class TimelinePage:
    """The timeline of a record as its address asks for it. Raises InvalidPlaceError when it is read."""

    def __init__(self, *, access: ObjectAccess, record: Any, parameters: QueryDict) -> None:
        self.access, self.record = access, record
        self.today = timezone.localdate()
        plain = TimelineReader(access=access, record=record, filters=TimelineFilters(), today=self.today)
        self.filters = read_filters(parameters=parameters, kinds=plain.kinds)
        self.reader = TimelineReader(access=access, record=record, filters=self.filters, today=self.today)
        self._before, self._after = parameters.get(BEFORE, ""), parameters.get(AFTER, "")

    @property
    def title(self) -> str:
        return mention_record(self.record) if get_title(self.record) == str(self.record) else get_title(self.record)

    @property
    def url(self) -> str:
        """The address without filters."""
        return get_timeline_url(self.record)

    @property
    def today_url(self) -> str:
        """The address with these filters, opened on today."""
        return self.url + self.filters.build_query()

    @property
    def direction(self) -> str:
        """Where the page goes from a place in its address, "earlier" or "later"; empty if it begins at today."""
        return "earlier" if self._before else "later" if self._after else ""

    @property
    def has_filters(self) -> bool:
        """Whether a filter beside the words is in force, or could not be read."""
        return bool(self.filters.problems or self.filters.parameters.keys() - {WORDS})

    @cached_property
    def part(self) -> TimelinePart:
        """The entries."""
        if self._before:
            place = Place.read(self._before)
            stretch = self.reader.read_before(place, size=_EARLIER)
            events = build_events(
                reader=self.reader, found=stretch.found, month=place.day, is_past=place.day <= self.today
            )
            return self._build_part(stretch, events=events)
        if self._after:
            place = Place.read(self._after)
            stretch = self.reader.read_after(place, size=_EARLIER)
            latest = stretch.found[0].day if stretch.found else None
            is_past = stretch.has_later and latest is not None and latest <= self.today
            return self._build_part(
                stretch, events=build_events(reader=self.reader, found=stretch.found, is_past=is_past)
            )
        first = self.filters.list_days(self.today)[0]
        stretch = self.reader.read_around(
            later=_LATER if first is None or first <= self.today else _EARLIER, earlier=_EARLIER
        )
        return build_part(reader=self.reader, stretch=stretch, url=self.url, with_undated=True)

    @cached_property
    def quick_periods(self) -> list[tuple[str, str, bool]]:
        """Label and address of periods that one press leads to, and whether it is in force."""
        others = {name: text for name, text in self.filters.parameters.items() if name not in (PERIOD, FROM, TO)}
        found = [("Everything", "", not any(name in self.filters.parameters for name in (PERIOD, FROM, TO)))]
        found += [(describe_days(each), each, self.filters.period == each) for each in PERIODS[:3]]
        return [
            (label, self.url + TimelineFilters().build_query(**others, period=period), is_current)
            for label, period, is_current in found
        ]

    @cached_property
    def fields(self) -> list[FilterField]:
        """The filters of the form, but for the words."""
        filters, problems = self.filters, self.filters.problems
        periods = list(PERIODS)
        if filters.period and filters.period not in periods:
            periods.append(filters.period)
        chosen = filters.parameters
        options = [
            (KIND, "Kind", "Every kind", [(each.name, each.plural) for each in self.reader.kinds]),
            (CHANNEL, "Channel", "Every channel", [(each.name, each.label) for each in list_channels()]),
            (STUDY, "Study", "All my studies", self._list_studies()),
            (STATE, "Open or done", "Open and done", list(STATES)),
            (PERIOD, "Period", "Any day", [(each, describe_days(each)) for each in periods]),
        ]
        fields = [
            FilterField(
                name=name,
                label=label,
                choices=tuple(
                    Choice(value=value, label=text, is_chosen=chosen.get(name, "") == value)
                    for value, text in [("", every), *offered]
                ),
                problem=problems.get(name, ""),
            )
            for name, label, every, offered in options
            if name != STUDY or offered or name in problems
        ]
        days = ((FROM, "From", filters.first), (TO, "To", filters.last))
        return fields + [
            FilterField(name=name, label=label, value=day.isoformat() if day else "", problem=problems.get(name, ""))
            for name, label, day in days
        ]

    @property
    def filters_text(self) -> str:
        """The filters in force in words, for paper, such as `Channel: Phone. From: 1 Mar 2026.`; or nothing."""
        words = [f"Words: “{self.filters.words}”."] if self.filters.words else []
        for each in self.fields:
            chosen = next((choice.label for choice in each.choices if choice.value and choice.is_chosen), "")
            day = dt.date.fromisoformat(each.value) if each.value else None
            if text := chosen or (date_format(day) if day else ""):
                words.append(f"{each.label}: {text}.")
        return " ".join(words)

    def _build_part(self, stretch: Stretch, *, events: list[TimelineEvent]) -> TimelinePart:
        return _join(stretch=stretch, events=events, undated=[], reader=self.reader, url=self.url)

    def _list_studies(self) -> list[tuple[str, str]]:
        """Return uid and name of the studies of the entries; none if there are not several to choose from."""
        study = next(each for each in list_record_objects() if is_study(each.model))
        opened = open_related(access=self.access, object_name=study.api_name)
        keys = self.reader.list_studies() if opened is not None else set()
        if opened is None or (len(keys) < 2 and self.filters.study is None):  # noqa: PLR2004  one is no choice
            return []
        found = opened.list_records().filter(Q(pk__in=keys) | Q(uid=self.filters.study))
        return sorted((str(each.uid), str(each)) for each in found)


def has_timeline(object_name: str) -> bool:
    """Whether records of an object have a timeline."""
    return bool(list_sources(object_name))


def get_timeline_url(record: Any) -> str:
    """Return the address of a record's timeline."""
    return build_record_url(page=PAGE, object_name=record.object_name, uid=record.uid)


def build_timeline_section(*, access: ObjectAccess, record: Any) -> TimelineSection | None:
    """Return the entries of a record's timeline around today; None if it has no timeline, or the user may read none."""
    reader = TimelineReader(access=access, record=record, filters=TimelineFilters(), today=timezone.localdate())
    if not reader.opened:
        return None
    stretch = reader.read_around(later=_LATER_ON_RECORD, earlier=_EARLIER_ON_RECORD)
    url = get_timeline_url(record)
    return TimelineSection(
        part=build_part(reader=reader, stretch=stretch, url=url),
        url=url,
        recent_url=f"{url}?{PERIOD}={LAST_90_DAYS}",
        open_url=f"{url}?{STATE}=open",
    )


def build_part(*, reader: TimelineReader, stretch: Stretch, url: str, with_undated: bool = False) -> TimelinePart:
    """Return what was read as people see it."""
    undated = reader.read_undated() if with_undated else []
    events = build_events(reader=reader, found=[*undated, *stretch.found])
    return _join(
        stretch=stretch,
        events=events[len(undated) :],
        undated=events[: len(undated)],
        reader=reader,
        url=url,
    )


def _join(
    *,
    stretch: Stretch,
    events: list[TimelineEvent],
    undated: list[TimelineEvent],
    reader: TimelineReader,
    url: str,
) -> TimelinePart:
    first, last = reader.filters.list_days(reader.today)
    later = _name_place(stretch, 0) if stretch.has_later and stretch.found else ""
    earlier = _name_place(stretch, -1) if stretch.has_earlier and stretch.found else ""
    query = reader.filters.build_query
    return TimelinePart(
        events=events,
        undated=undated,
        later_url=url + query(after=later) if later else "",
        earlier_url=url + query(before=earlier) if earlier else "",
        today=reader.today,
        shows_today=(first is None or first <= reader.today) and (last is None or last >= reader.today),
    )


def _name_place(stretch: Stretch, index: int) -> str:
    found = stretch.found[index]
    if found.day is None:
        raise ValueError("An entry without a day has no place.")
    return str(Place(day=found.day, source=found.source.object_name, pk=found.record.pk))
