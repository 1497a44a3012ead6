"""Writes calendar entries as iCalendar (RFC 5545, with the properties of RFC 7986 that programs refresh by).

An entry is a whole day or several, so that no time zone shifts it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from icalendar import Calendar, Event, vDuration, vText, vUri

CONTENT_TYPE = "text/calendar; charset=utf-8"
REFRESH = dt.timedelta(hours=1)
_PRODUCT = "-//CTMS Vault//Calendar feed//EN"
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """A day or several (`first` to `last`, both included) on which something is planned or took place.

    `version` counts the changes of its record from 1; `path` is the address of its page within the Vault.
    """

    uid: UUID
    version: int
    modified_at: dt.datetime
    first: dt.date
    last: dt.date
    title: str
    path: str
    kind: str
    place: str = ""
    lines: tuple[str, ...] = ()
    is_cancelled: bool = False


def write_calendar(*, name: str, events: Iterable[FeedEvent]) -> bytes:
    """Return the calendar as a file. The same events make the same bytes."""
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("name", vText(name))
    calendar.add("x-wr-calname", vText(name))
    calendar.add("refresh-interval", vDuration(REFRESH), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", vDuration(REFRESH))
    for each in events:
        calendar.add_component(_build_event(each))
    return bytes(calendar.to_ical())


def _build_event(event: FeedEvent) -> Event:
    url = f"{settings.VAULT_BASE_URL.rstrip('/')}{event.path}"
    written = Event()
    written.add("uid", str(event.uid))
    # Without METHOD the stamp is when the event was changed last, so that it changes with the event alone.
    written.add("dtstamp", _trim(event.modified_at))
    written.add("last-modified", _trim(event.modified_at))
    written.add("sequence", event.version - 1)
    written.add("dtstart", event.first)
    written.add("dtend", max(event.first, event.last) + _DAY)
    written.add("summary", event.title)
    written.add("categories", [event.kind])
    if event.place:
        written.add("location", event.place)
    written.add("description", "\n".join((*event.lines, url)))
    written.add("url", vUri(url))
    written.add("status", "CANCELLED" if event.is_cancelled else "CONFIRMED")
    written.add("transp", "TRANSPARENT")
    written.add("class", "PRIVATE")
    return written


def _trim(moment: dt.datetime) -> dt.datetime:
    return moment.astimezone(dt.UTC).replace(microsecond=0)
