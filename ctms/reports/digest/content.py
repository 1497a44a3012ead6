"""Reads what stands in the daily digest of a user: what is due, what is overdue, and what other apps add."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass

from django.utils import timezone

from ctms.accounts.middleware import find_zone
from ctms.accounts.models import User
from ctms.records.calendar.entries import CalendarEntry, list_open_entries
from ctms.reports.digest.parts import DigestPart, DigestRow, build_registered

MOST_READ = 500  # entries of each object
MOST_SHOWN = 30  # of each part
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestContent:
    """What is in a digest of a day, in its order."""

    day: dt.date
    parts: tuple[DigestPart, ...]

    @property
    def count(self) -> int:
        """Return the number of entries."""
        return sum(each.count for each in self.parts)

    @property
    def summary(self) -> str:
        """Return what there is in one line, such as `2 overdue, 1 due today`."""
        return ", ".join(f"{each.total} {each.title[:1].lower()}{each.title[1:]}" for each in self.parts)


def read_content(*, user: User, day: dt.date) -> DigestContent:
    """Return what is the user's, as the user may see it now. `day` is today by the user's time zone.

    Runs a statement for each object in the calendar, and those of the registered parts.
    """
    with timezone.override(find_zone(user.time_zone)):
        begun = list_open_entries(user=user, first=dt.date.min, last=day - _DAY, most=MOST_READ)
        due = list_open_entries(user=user, first=day, last=day, most=MOST_READ)
        parts = [
            # What goes on today began before and is due.
            _build_part("Overdue", [each for each in begun if each.end < day], is_more=_is_cut(begun)),
            _build_part("Due today", due, is_more=_is_cut(due)),
            *build_registered(user),
        ]
    return DigestContent(day=day, parts=tuple(each for each in parts if each.count))


def _is_cut(entries: list[CalendarEntry]) -> bool:
    return max(Counter(each.object_name for each in entries).values(), default=0) >= MOST_READ


def _build_part(title: str, entries: list[CalendarEntry], *, is_more: bool) -> DigestPart:
    rows = tuple(
        DigestRow(text=each.text, path=each.url, note=each.object_label, day=each.start)
        for each in entries[:MOST_SHOWN]
    )
    return DigestPart(title=title, rows=rows, count=len(entries), is_more=is_more)
