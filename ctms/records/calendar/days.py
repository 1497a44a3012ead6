"""Days with their entries as the page shows them: what lasts several days keeps its line from day to day."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from ctms.records.calendar.entries import CalendarEntry, list_days


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An entry on one of its days. `opens` and `closes`: whether it begins and ends here, or its row does."""

    entry: CalendarEntry
    day: dt.date
    opens: bool
    closes: bool

    @property
    def is_first_day(self) -> bool:
        return self.entry.start == self.day

    @property
    def number(self) -> int:
        """Return which of its days this is, counted from 1."""
        return (self.day - self.entry.start).days + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A day with its lines, of which None keeps a place free; `more` entries are not shown."""

    date: dt.date
    lines: list[Line | None]
    total: int
    more: int


def build_row(
    *, first: dt.date, last: dt.date, entries: Sequence[CalendarEntry], totals: Counter[dt.date], most: int
) -> list[Day]:
    """Return the days of a row, such as a week, each with at most so many lines."""
    touching = [each for each in entries if each.start <= last and each.end >= first]
    places = _place(first=first, entries=[each for each in touching if each.days > 1])
    days = []
    for date in list_days(first, last):
        lasting = {place: each for each, place in places if each.start <= date <= each.end}
        lines: list[Line | None] = [
            _build_line(entry=lasting[place], day=date, first=first, last=last) if place in lasting else None
            for place in range(max(lasting, default=-1) + 1)
        ]
        single = [each for each in touching if each.days == 1 and each.start == date]
        lines += [_build_line(entry=each, day=date, first=first, last=last) for each in single]
        days.append(_cut(date=date, lines=lines, total=totals[date], most=most))
    return days


def _place(*, first: dt.date, entries: Sequence[CalendarEntry]) -> list[tuple[CalendarEntry, int]]:
    """Give each entry the first place that is free from its beginning on."""
    taken_until: list[dt.date] = []
    placed = []
    for each in sorted(entries, key=lambda entry: (entry.start, -entry.days)):
        begin = max(each.start, first)
        place = next((number for number, end in enumerate(taken_until) if end < begin), len(taken_until))
        taken_until[place : place + 1] = [each.end]
        placed.append((each, place))
    return placed


def _build_line(*, entry: CalendarEntry, day: dt.date, first: dt.date, last: dt.date) -> Line:
    return Line(entry=entry, day=day, opens=day in (entry.start, first), closes=day in (entry.end, last))


def _cut(*, date: dt.date, lines: list[Line | None], total: int, most: int) -> Day:
    there = sum(line is not None for line in lines)
    if len(lines) > most or total > there:
        lines = lines[: most - 1]
        while lines and lines[-1] is None:
            lines.pop()
    shown = sum(line is not None for line in lines)
    return Day(date=date, lines=lines, total=total, more=total - shown)
