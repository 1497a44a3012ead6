"""The state of the calendar's page, which its address holds: `?view=month&date=2026-12&whose=mine&completed=yes`."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from django.http import QueryDict
from django.urls import reverse

from ctms.records.calendar.periods import View, read_day
from ctms.records.calendar.whose import Whose, read_whose

YES = "yes"
# Parameter of a form on the calendar with the query string of the page, to lead back there.
QUERY = "query"


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarAddress:
    """Which days the page shows, of whom, and how. `problems` say what of the address was not understood."""

    view: View
    day: dt.date
    whose: Whose
    with_completed: bool = False
    problems: tuple[str, ...] = ()

    @property
    def query(self) -> str:
        """Return the query string."""
        parameters = {"view": str(self.view), "date": str(self.day), "whose": str(self.whose)}
        return urlencode(parameters | ({"completed": YES} if self.with_completed else {}))

    @property
    def url(self) -> str:
        return f"{reverse('calendar')}?{self.query}"

    def at(self, day: dt.date | None, *, view: View | None = None) -> str:
        """Return the URL of the same page at another day, or in another view; empty without a day."""
        return replace(self, day=day, view=view or self.view).url if day is not None else ""

    def of(self, whose: Whose) -> str:
        """Return the URL of the same days of somebody else."""
        return replace(self, whose=whose).url

    def toggle_completed(self) -> str:
        """Return the URL of the same page with or without completed entries."""
        return replace(self, with_completed=not self.with_completed).url


def read_address(parameters: QueryDict, *, today: dt.date) -> CalendarAddress:
    """Read the parameters of an address; what is missing or not understood is the month of today, and mine."""
    view, day, whose = View.MONTH, today, Whose()
    problems = []
    if (text := parameters.get("view", "")) in View.values:
        view = View(text)
    elif text:
        problems.append(f"View: {text[:40]!r} is none. Choose one of {', '.join(View.values)}.")
    try:
        day = read_day(text) if (text := parameters.get("date", "")) else today
    except ValueError as error:
        problems.append(str(error))
    try:
        whose = read_whose(parameters.get("whose", ""))
    except ValueError as error:
        problems.append(str(error))
    return CalendarAddress(
        view=view,
        day=day,
        whose=whose,
        with_completed=parameters.get("completed") == YES,
        problems=tuple(problems),
    )


def find_calendar(parameters: QueryDict, *, uid: object = None) -> str:
    """Return the URL of the calendar whose query string the parameters hold, at the entry of that uid."""
    query = QueryDict(parameters.get(QUERY, "")).urlencode()
    address = f"{reverse('calendar')}?{query}" if query else reverse("calendar")
    return f"{address}#entry-{uid}" if uid else address
