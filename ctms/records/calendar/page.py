"""What the calendar's page shows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from django.utils.formats import date_format

from ctms.accounts.models import User
from ctms.configuration.snapshot import Configuration
from ctms.core.choices import RecordStatus
from ctms.records.access import ObjectAccess, open_related
from ctms.records.addresses import get_object_url
from ctms.records.calendar.addresses import QUERY, CalendarAddress
from ctms.records.calendar.days import Day, Line, build_row
from ctms.records.calendar.entries import Entries, list_days, load_entries
from ctms.records.calendar.periods import WEEK, Period, View, find_period
from ctms.records.calendar.sources import CalendarSource, open_sources
from ctms.records.calendar.whose import STUDIES, Whose
from ctms.records.fields.references import describe_choice, get_target

# Lines of a day in each view.
_MOST_LINES = {View.MONTH: 4, View.WEEK: 12, View.AGENDA: 20, View.DAY: 200}
_MOST_STUDIES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """A link of the page."""

    label: str
    url: str
    is_current: bool = False
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCell:
    """A day as the page shows it. `plans` are the links that plan something on it."""

    day: Day
    url: str
    is_today: bool
    is_outside: bool
    is_weekend: bool
    plans: list[PageLink]

    @property
    def date(self) -> dt.date:
        return self.day.date

    @property
    def lines(self) -> list[Line | None]:
        return self.day.lines

    @property
    def more(self) -> int:
        return self.day.more

    @property
    def label(self) -> str:
        """Return the day in words, with how much there is on it."""
        number = self.day.total
        count = "nothing planned" if not number else "1 entry" if number == 1 else f"{number:,} entries"
        today = "today, " if self.is_today else ""
        return f"{today}{date_format(self.date, 'l j F Y')}, {count}"


@dataclass(frozen=True, kw_only=True)
class CalendarPage:
    """The calendar of a user at an address."""

    user: User
    address: CalendarAddress
    today: dt.date
    configuration: Configuration

    @cached_property
    def sources(self) -> list[tuple[CalendarSource, ObjectAccess]]:
        return open_sources(user=self.user, configuration=self.configuration)

    @cached_property
    def period(self) -> Period:
        return find_period(view=self.address.view, day=self.address.day)

    @cached_property
    def entries(self) -> Entries:
        return load_entries(
            user=self.user,
            first=self.period.first,
            last=self.period.last,
            whose=self.address.whose,
            with_complete=self.address.with_completed,
            per_day=_MOST_LINES[self.address.view],
            configuration=self.configuration,
        )

    @cached_property
    def rows(self) -> list[list[DayCell]]:
        """The weeks of the page, each with its days."""
        starts = list_days(self.period.first, self.period.last)[::WEEK]
        return [self._build_cells(first=each, last=each + dt.timedelta(days=WEEK - 1)) for each in starts]

    @cached_property
    def days(self) -> list[DayCell]:
        """The days of an agenda: those with entries; the one day of the day's view, whatever it has."""
        cells = self._build_cells(first=self.period.first, last=self.period.last)
        return [each for each in cells if each.day.total or self.address.view == View.DAY]

    @property
    def is_empty(self) -> bool:
        return not self.entries.totals

    @property
    def is_grid(self) -> bool:
        return self.address.view in (View.MONTH, View.WEEK)

    @property
    def weekdays(self) -> list[dt.date]:
        """Return a day of each weekday, in the order of the week."""
        return list_days(self.period.first, self.period.first + dt.timedelta(days=WEEK - 1))

    @property
    def views(self) -> list[PageLink]:
        return [
            PageLink(
                label=str(view.label),
                url=self.address.at(self.address.day, view=view),
                is_current=view == self.address.view,
                key=key,
            )
            for view, key in ((View.MONTH, "m"), (View.WEEK, "w"), (View.AGENDA, "a"))
        ]

    @property
    def previous_url(self) -> str:
        return self.address.at(self.period.previous)

    @property
    def next_url(self) -> str:
        return self.address.at(self.period.following)

    @property
    def today_url(self) -> str:
        return self.address.at(self.today)

    @property
    def mine_or_studies(self) -> list[PageLink]:
        kinds = ((Whose(), "Mine"), (Whose(kind=STUDIES), "My studies"))
        return [
            PageLink(label=label, url=self.address.of(whose), is_current=whose == self.address.whose)
            for whose, label in kinds
        ]

    @property
    def move_query(self) -> str:
        """Return the parameters with which the form that moves an entry leads back here."""
        return urlencode({QUERY: self.address.query})

    @property
    def studies_url(self) -> str:
        return self.address.of(Whose(kind=STUDIES))

    @cached_property
    def studies(self) -> list[PageLink]:
        """Links to the calendar of each Active study that the user sees, by number; at most 200."""
        access = self._open_studies()
        if access is None:
            return []
        records: list[Any] = list(
            access.list_records().filter(status=RecordStatus.ACTIVE).order_by("name")[:_MOST_STUDIES]
        )
        chosen = self.address.whose.study
        if chosen is not None and all(each.uid != chosen for each in records):
            records = [*access.list_records().filter(uid=chosen), *records]
        return [
            PageLink(
                label=describe_choice(each),
                url=self.address.of(Whose(kind="study", study=each.uid)),
                is_current=each.uid == chosen,
            )
            for each in records
        ]

    @property
    def chosen_study(self) -> str:
        """Return the name of the study that is shown alone; empty if none is."""
        return next((each.label for each in self.studies if each.is_current), "")

    @property
    def plans(self) -> list[PageLink]:
        """Return the links that plan something on the day of the address."""
        return self._list_plans(self.address.day if self.address.view == View.DAY else self._get_next_day())

    @cached_property
    def copied(self) -> dict[str, str]:
        """The objects whose records the user can copy for several others: API name → what that is called."""
        return {
            access.shape.api_name: access.vault_object.copying.label
            for _, access in self.sources
            if access.vault_object.copying is not None and access.can_create()
        }

    @property
    def lists(self) -> list[PageLink]:
        """Return the lists of the objects that the calendar shows."""
        return [
            PageLink(label=access.vault_object.plural_title, url=get_object_url("record_list", access.shape.api_name))
            for _, access in self.sources
        ]

    def _get_next_day(self) -> dt.date:
        """Return the day that a button without a day means: today if it is shown, else the first that is."""
        first = self.period.first if self.period.month is None else self.address.day.replace(day=1)
        return self.today if first <= self.today <= self.period.last else first

    def _build_cells(self, *, first: dt.date, last: dt.date) -> list[DayCell]:
        most = _MOST_LINES[self.address.view]
        row = build_row(first=first, last=last, entries=self.entries.shown, totals=self.entries.totals, most=most)
        return [
            DayCell(
                day=each,
                url=self.address.at(each.date, view=View.DAY),
                is_today=each.date == self.today,
                is_outside=self.period.month is not None and each.date.month != self.period.month,
                is_weekend=each.date.isoweekday() > 5,  # noqa: PLR2004  Saturday and Sunday
                plans=self._list_plans(each.date),
            )
            for each in row
        ]

    @cached_property
    def _planners(self) -> list[tuple[CalendarSource, str]]:
        """The sources of which the user can create records, with the URL to do so."""
        return [
            (source, get_object_url("record_create", access.shape.api_name))
            for source, access in self.sources
            if source.plan_label and access.can_create()
        ]

    def _list_plans(self, day: dt.date) -> list[PageLink]:
        study = self.address.whose.study
        return [
            PageLink(
                label=source.plan_label,
                url=f"{url}?"
                + urlencode({source.moved[0]: str(day)} | ({source.study: str(study)} if study is not None else {})),
                key=key,
            )
            for (source, url), key in zip(self._planners, _list_keys(self._planners), strict=True)
        ]

    def _open_studies(self) -> ObjectAccess | None:
        for source, access in self.sources:
            field = access.shape.fields.get(source.study)
            target = get_target(field) if field is not None else None
            if target is not None:
                return open_related(access=access, object_name=target.api_name)
        return None


def _list_keys(planners: Sequence[object]) -> list[str]:
    """Return the key of each planner: `v` for the first."""
    return ["v" if not number else "" for number in range(len(planners))]
