"""Where a list that is sorted by its day opens: on today, with a line between what is past and what is to come."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape
from typing import Any

from django.db.models import QuerySet
from django.utils import formats, timezone

from ctms.records.access import ObjectAccess
from ctms.records.conditions.askers import UserAsker
from ctms.records.fields.comparing.comparisons import DayComparison
from ctms.records.fields.kinds.base import kind_of
from ctms.records.lists.order.found import ManyFound
from ctms.records.lists.order.keyset_pagination import Page, Sort, cut_page_around
from ctms.records.lists.query import ListQuery
from ctms.records.lists.rows.tables import Line

# Rows above the line on the page that a list opens with: few enough that the line is in sight.
LEAD = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Today:
    """The user's day in a list that is sorted by its day. Rows of today stand below the line, whatever the order.

    `boundary` is the first value of today in an ascending list, and of tomorrow in a descending one.
    """

    day: dt.date
    boundary: Any
    sort: Sort

    def open_page(self, *, records: QuerySet[Any], size: int, many: ManyFound | None = None) -> Page:
        """Return the page with which the list opens: with today in sight, or at the end that is nearer to today.

        With `many`, it has only those of the records that a search found.
        """
        return cut_page_around(records=records, sort=self.sort, size=size, boundary=self.boundary, lead=LEAD, many=many)

    def find_line(self, page: Page) -> int | None:
        """Return the number of the row above which the line stands; None if it is not between two rows here."""
        above = None if page.values_before is None else self._is_above(page.values_before[-1])
        for index, values in enumerate(page.values):
            is_above = self._is_above(values[-1])
            if above and not is_above:
                return index
            above = is_above
        return None

    def draw(self) -> Line:
        """Return the line between what is past and what is to come."""
        day = escape(formats.date_format(self.day, "DATE_FORMAT"))
        note = "to come above, past below" if self.sort.descending else "past above, to come below"
        return Line(html=f'<strong>Today</strong> {day}<span class="muted">{note}</span>', css_class="today-line")

    def _is_above(self, value: Any) -> bool:
        if value is None:
            return False
        return bool(value >= self.boundary if self.sort.descending else value < self.boundary)


def find_today(listed: ListQuery) -> Today | None:
    """Return the user's day if the list is sorted by the field of its object's own order, and that is a day.

    A list that is grouped by something else is not in the order of days.
    """
    grouping, own = listed.sort.grouping, listed.access.vault_object.default_sort.removeprefix("-")
    if grouping is not None and grouping.field.api_name != own:
        return None
    return find_today_in(access=listed.access, sort=listed.sort)


def find_today_in(*, access: ObjectAccess, sort: Sort) -> Today | None:
    """Return the user's day if that is a place in this order: the object's own, and one by days."""
    field, own = sort.field, access.vault_object.default_sort.removeprefix("-")
    comparison = kind_of(field).comparison if field is not None and field.api_name == own else None
    if not isinstance(comparison, DayComparison):
        return None
    asker = UserAsker(access=access)
    day = timezone.localdate(timezone=asker.get_zone())
    first = day + dt.timedelta(days=1) if sort.descending else day
    return Today(day=day, boundary=comparison.start_day(asker=asker, day=first), sort=sort)
