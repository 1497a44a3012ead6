"""What stands in timelines. Apps register their objects with a day, such as visits, from `AppConfig.ready()`."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q
from django.db.models.expressions import Combinable

from ctms.records.access import ObjectAccess

# Returns the condition for the records that belong to the timeline of a record, as far as the user may know.
Reach = Callable[[ObjectAccess, Any], Q]
# Returns the condition for records that are open, or done, on a day.
Condition = Callable[[dt.date], Q]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineChannel:
    """A way in which people meet, as a filter of timelines."""

    name: str
    label: str
    icon: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineKind:
    """What a reader tells apart: records of a source, or those of one of its object types.

    `name` stands in addresses, `plural` in the filter, and `label` beside an entry.
    """

    name: str
    label: str
    plural: str
    object_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimelineSource:
    """An object whose records are entries of timelines.

    `reach` says for each object whose records have a timeline what belongs to it. `day` is the day of an entry, which
    `may_lack_day` if it is not required. Records that fulfil `follower`, such as activities generated from a visit, are
    no entries of their own where the record that one of their references `follows` is an entry.
    """

    model: type[Model]
    kinds: tuple[TimelineKind, ...]
    reach: Mapping[str, Reach]
    day: Combinable
    may_lack_day: bool
    get_channel: Callable[[Any], str]
    channels: Mapping[str, Q]
    is_open: Condition
    is_done: Condition
    describe_state: Callable[[Any, dt.date], tuple[str, str]]  # tone and text; both empty if there is nothing to say
    facts: tuple[str, ...]  # API names of fields that an entry shows
    excerpt: str = ""  # API name of a long text, of which an entry shows the beginning
    follower: Q | None = None
    follows: tuple[str, ...] = ()
    icon: str = "record"

    @property
    def object_name(self) -> str:
        name: str = self.model.object_name  # type: ignore[attr-defined]
        return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferMark:
    """A line on how a record went to a CRM. `tone` is success, warning or empty."""

    text: str
    tone: str = ""


# Returns the marks of records by their uid; runs a fixed number of statements.
MarkRecords = Callable[[ObjectAccess, Sequence[Any]], Mapping[Any, Sequence[TransferMark]]]

_sources: list[TimelineSource] = []
_channels: dict[str, TimelineChannel] = {}
_markers: list[MarkRecords] = []


def register_timeline_source(source: TimelineSource) -> None:
    """Register an object. Of the entries of one day, those of sources registered earlier come first."""
    if all(each.model is not source.model for each in _sources):
        _sources.append(source)


def register_timeline_channels(channels: Iterable[TimelineChannel]) -> None:
    """Register the channels, in the order of the filter."""
    _channels.update({each.name: each for each in channels})


def register_transfer_marks(find: MarkRecords) -> None:
    """Register what tells of entries how they went to the CRMs."""
    if find not in _markers:
        _markers.append(find)


def list_sources(object_name: str) -> list[TimelineSource]:
    """Return the sources of the timelines of an object's records; none if it has no timelines."""
    return [each for each in _sources if object_name in each.reach]


def list_channels() -> list[TimelineChannel]:
    """Return the channels in the order of the filter."""
    return list(_channels.values())


def get_channel(name: str) -> TimelineChannel | None:
    """Return a channel; None if there is none of that name."""
    return _channels.get(name)


def find_marks(*, access: ObjectAccess, records: Sequence[Any]) -> dict[Any, list[TransferMark]]:
    """Return the marks of the records by uid."""
    found: dict[Any, list[TransferMark]] = {}
    for find in _markers:
        for uid, marks in find(access, records).items():
            found.setdefault(uid, []).extend(marks)
    return found
