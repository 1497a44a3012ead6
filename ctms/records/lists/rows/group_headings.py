"""The headings of a grouped list: what each group is, how many records it has, and the link that filters to it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from html import escape
from typing import Any

from django.db.models import Model, QuerySet
from django.utils import formats

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.records.conditions.addresses import join_name
from ctms.records.conditions.askers import UserAsker
from ctms.records.conditions.kinds import get_kind, list_accepted_operators
from ctms.records.conditions.subjects import find_subject
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.comparing.periods import list_days
from ctms.records.fields.titles import mention_record
from ctms.records.fields.values import format_value, read_value
from ctms.records.lists.order.grouping import Grouping
from ctms.records.lists.order.keyset_pagination import Page
from ctms.records.lists.pager import describe_count
from ctms.records.lists.query import ListQuery
from ctms.records.lists.rows.tables import Line

_THIS_MONTH = "this_month"


class GroupHeadings:
    """Draws the headings of a page of a grouped list. `build_url` returns the URL of the list with other parameters."""

    def __init__(self, *, listed: ListQuery, grouping: Grouping, build_url: Callable[..., str]) -> None:
        self.listed, self.grouping, self._build_url = listed, grouping, build_url
        self.field: ObjectField = grouping.field

    def draw(self, *, page: Page, records: QuerySet[Any]) -> dict[int, Line]:
        """Return the heading above each row that begins a group, by number; `records` are those of the whole list."""
        place = self.grouping.find_key()
        groups = [self.grouping.identify(values[place]) for values in page.values]
        starts = [index for index, group in enumerate(groups) if index == 0 or group != groups[index - 1]]
        if not starts:
            return {}
        counts = self.grouping.count(records=records, identities=[groups[index] for index in starts])
        before = page.values_before
        is_continued = before is not None and self.grouping.identify(before[place]) == groups[0]
        return {
            index: self._draw_heading(
                record=page.rows[index], count=counts.get(groups[index], 0), is_continued=is_continued and index == 0
            )
            for index in starts
        }

    def _draw_heading(self, *, record: Any, count: int, is_continued: bool) -> Line:
        value = self._read(record)
        label, text = escape(self.field.label), escape(self._name(value))
        name = f'<span class="visually-hidden">{label}: </span>{text}'
        if filters := self._list_filters(value):
            url = escape(self._build_url(**filters))
            name = f'<a href="{url}" title="Show only these">{name}</a>'
        number = describe_count(count)
        more = '<span class="muted">continued</span>' if is_continued else ""
        return Line(
            html=f'{name} <span class="count">{number}</span> {more}', css_class="group-line", begins_group=True
        )

    def _read(self, record: Any) -> Any:
        """Return the value that the records of a group have in common: of moments, the day, and of days, the month."""
        value = read_value(record=record, field=self.field)
        return self.grouping.identify(value) if self.grouping.is_day else value

    def _name(self, value: Any) -> str:
        if value in (None, ""):
            return f"Without {self.field.label}"
        if isinstance(value, Model):
            return mention_record(value)
        if isinstance(value, dt.date):
            return formats.date_format(value, "F Y" if self.grouping.by_month else "l, j F Y")
        return format_value(value=value, field=self.field, shape=self.listed.access.shape)

    def _list_filters(self, value: Any) -> Mapping[str, str]:
        """Return the parameters of the conditions that the records of a group fulfil; none if there are none."""
        name = self.field.api_name
        asker = UserAsker(access=self.listed.access)
        is_open = find_subject(asker=asker, object_name=self.listed.access.shape.api_name, path=name) is not None
        if not is_open or Operator.IS not in list_accepted_operators(asker=asker, field=self.field):
            return {}
        if value in (None, ""):
            return {join_name(path=name, operator=Operator.EMPTY): "true"}
        if isinstance(value, dt.date) and self.grouping.by_month:
            first, last = list_days(period=_THIS_MONTH, today=value)
            return self._narrow(first=str(first), last=str(last))
        text = _write_value(value)
        try:
            get_kind(self.field).read(shape=self.listed.access.shape, field=self.field, value=text)
        except ValueError:
            # A value that left its list, of which no condition can ask.
            return {}
        return {name: text}

    def _narrow(self, *, first: str, last: str) -> Mapping[str, str]:
        """Return the conditions of a month, within those that the address has."""
        found = {}
        for operator, own, choose in ((Operator.FROM, first, max), (Operator.UNTIL, last, min)):
            name = join_name(path=self.field.api_name, operator=operator)
            given = self.listed.parameters.get(name)
            read = get_kind(self.field).read
            shape = self.listed.access.shape
            days = [own, *([read(shape=shape, field=self.field, value=given)] if given else [])]
            found[name] = choose(days)
        return found


def _write_value(value: Any) -> str:
    """Return a value as addresses have it."""
    if isinstance(value, User):
        return value.username
    if isinstance(value, Model):
        return str(getattr(value, "uid", ""))
    return str(value).lower() if isinstance(value, bool) else str(value)
