"""Entries of a timeline as people see them."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.utils.text import Truncator

from ctms.configuration.registry import InStudy, NoStudy, get_object_of_model
from ctms.records.addresses import get_record_url
from ctms.records.fields.shown_value import ShownValue
from ctms.records.fields.titles import get_title
from ctms.records.fields.users import names_user
from ctms.records.fields.values import ValueReader, read_value
from ctms.records.timelines.reading import Found, TimelineReader
from ctms.records.timelines.sources import TimelineKind, TransferMark, find_marks, get_channel

_LONGEST_EXCERPT = 180
_FOLLOWERS_NAMED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EventFact:
    """A field of an entry with its value. A value that does not speak for itself `shows_label`."""

    label: str
    value: ShownValue
    shows_label: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLink:
    """A record that follows an entry, such as the activity that was generated from a visit."""

    text: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineEvent:
    """An entry. `day` is None if it has none yet; `month` heads it if it is the first of its month in what is shown.

    `marks` say how it went to the CRMs, or how the activities did that were generated from it.
    """

    day: dt.date | None
    month: dt.date | None
    is_first_past: bool
    title: str
    url: str
    kind: str
    icon: str
    channel: str
    tone: str
    state: str
    facts: list[EventFact]
    excerpt: str
    followers: list[EventLink]
    more_followers: int
    followers_label: str
    marks: list[TransferMark]


def build_events(
    *, reader: TimelineReader, found: Sequence[Found], month: dt.date | None = None, is_past: bool = False
) -> list[TimelineEvent]:
    """Return the entries to show of what was found.

    `month` is a day of the month that the entry above them is of, and `is_past` whether that is past already. Runs a
    fixed number of statements.
    """
    followers = reader.list_followers(found)
    builder = _EventBuilder(reader=reader, found=found, followers=followers)
    events = []
    for each in found:
        is_first_past = each.day is not None and each.day <= reader.today and not is_past
        is_past = is_past or is_first_past
        heads = each.day is not None and (month is None or (each.day.year, each.day.month) != (month.year, month.month))
        events.append(builder.build(each, month=each.day if heads else None, is_first_past=is_first_past))
        month = each.day or month
    return events


class _EventBuilder:
    """Builds entries. Knows what the records follow and how they went to the CRMs."""

    def __init__(
        self, *, reader: TimelineReader, found: Sequence[Found], followers: dict[tuple[str, int], list[Found]]
    ) -> None:
        self._reader, self._followers = reader, followers
        every = [*found, *(each for listed in followers.values() for each in listed)]
        self._values = {
            source: ValueReader(access=access).load(
                records=[each.record for each in every if each.source is source],
                fields=[access.shape.fields[name] for name in source.facts if name in access.shape.fields],
            )
            for source, access in reader.opened.items()
        }
        self._marks = find_marks(access=reader.access, records=[each.record for each in every])
        self._known = _list_known(reader.record)

    def build(self, found: Found, *, month: dt.date | None, is_first_past: bool) -> TimelineEvent:
        source, record = found.source, found.record
        channel = get_channel(source.get_channel(record))
        tone, state = source.describe_state(record, self._reader.today)
        followers = self._followers.get((source.object_name, record.pk), [])
        kind = self._find_kind(found)
        return TimelineEvent(
            day=found.day,
            month=month,
            is_first_past=is_first_past,
            title=get_title(record),
            url=get_record_url(record),
            kind=kind.label,
            icon=channel.icon if channel else source.icon,
            channel=channel.label if channel else "",
            tone=tone,
            state=state,
            facts=self._list_facts(found),
            excerpt=self._read_excerpt(found),
            followers=[self._link_follower(each) for each in followers[:_FOLLOWERS_NAMED]],
            more_followers=max(0, len(followers) - _FOLLOWERS_NAMED),
            followers_label=_label_followers(followers),
            marks=self._list_marks(found, followers=followers),
        )

    def _find_kind(self, found: Found) -> TimelineKind:
        kinds = found.source.kinds
        return next((each for each in kinds if each.object_type == getattr(found.record, "object_type", "")), kinds[0])

    def _list_facts(self, found: Found) -> list[EventFact]:
        """Return the values of the source's fields but those that every entry of the timeline has."""
        access, reader = self._reader.opened[found.source], self._values[found.source]
        facts = []
        for name in found.source.facts:
            field = access.shape.fields.get(name)
            if field is None or (field.reference, getattr(found.record, f"{field.attribute}_id", None)) in self._known:
                continue
            value = reader.show(record=found.record, field=field)
            if value.text:
                facts.append(EventFact(label=field.label, value=value, shows_label=names_user(field)))
        return facts

    def _read_excerpt(self, found: Found) -> str:
        shape = self._reader.opened[found.source].shape
        name = found.source.excerpt
        field = shape.fields.get(name) if name in shape.get_type(found.record.object_type).fields else None
        text = " ".join(str(read_value(record=found.record, field=field) or "").split()) if field else ""
        return Truncator(text).chars(_LONGEST_EXCERPT)

    def _link_follower(self, found: Found) -> EventLink:
        facts = self._list_facts(found)
        text = facts[0].value.text if facts else get_title(found.record)
        return EventLink(text=text, url=get_record_url(found.record))

    def _list_marks(self, found: Found, *, followers: Sequence[Found]) -> list[TransferMark]:
        """Return the marks of the record and of what follows it; equal ones are one, with their number."""
        own = list(self._marks.get(found.record.uid, []))
        counted = Counter(mark for each in followers for mark in self._marks.get(each.record.uid, []))
        if len(followers) > 1:
            all_of = len(followers)
            return own + [replace(mark, text=f"{number} of {all_of}: {mark.text}") for mark, number in counted.items()]
        return [*own, *counted]


def _label_followers(followers: Sequence[Found]) -> str:
    if not followers:
        return ""
    named = get_object_of_model(followers[0].source.model)
    if named is None:
        return ""
    return named.title if len(followers) == 1 else named.plural_title


def _list_known(record: Any) -> set[tuple[Any, Any]]:
    """Return model and key of what all entries of the record's timeline have in common.

    Of a site that is the site and its study; of a person in a study the person, not the study: the timeline is that of
    all studies.
    """
    of_place = getattr(record, "is_place", False)
    known = {(type(record), record.pk)}
    for field in record._meta.concrete_fields:
        target = field.related_model
        vault_object = get_object_of_model(target) if isinstance(target, type) else None
        if vault_object is not None and isinstance(vault_object.scope, InStudy if of_place else NoStudy):
            known.add((target, getattr(record, field.attname)))
    return known
