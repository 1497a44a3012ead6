"""Reads the entries of the calendar of a feed's user, as the user may see them now."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

from ctms.accounts.models import FeedContents, User
from ctms.records.calendar.entries import CalendarEntry, list_entries
from ctms.records.calendar.whose import STUDIES, Whose
from ctms.records.feed.calendar_file import FeedEvent

BACK = dt.timedelta(days=90)
AHEAD = dt.timedelta(days=365)
MOST = 2_000  # of each object; calendar programs take no more in reasonable time


def list_events(*, user: User, contents: str) -> list[FeedEvent]:
    """Return the events from 90 days ago to a year ahead, by day. Today is that of the present time zone.

    Runs one statement for each object in the calendar.
    """
    today = timezone.localdate()
    whose = Whose(kind=STUDIES) if contents == FeedContents.STUDIES else Whose()
    entries = list_entries(user=user, first=today - BACK, last=today + AHEAD, whose=whose, most=MOST)
    return [_build_event(each) for each in entries]


def _build_event(entry: CalendarEntry) -> FeedEvent:
    return FeedEvent(
        uid=entry.uid,
        version=entry.version,
        modified_at=entry.modified_at,
        first=entry.start,
        last=entry.end,
        title=entry.text,
        path=entry.url,
        kind=entry.object_label,
        lines=tuple(filter(None, (entry.caption, entry.state))),
    )
