"""Periods without a row, which a chart shows as well, so that equal steps are equal times."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from ctms.reports.choices import Period
from ctms.reports.engine.columns import ReportCell
from ctms.reports.engine.groups import GroupBy, GroupValue, describe_period
from ctms.reports.engine.summaries import GroupLine

_MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}
_DAYS = {Period.DAY: 1, Period.WEEK: 7}
_IN_A_YEAR = 12


def fill_periods(lines: list[GroupLine], *, group: GroupBy, most: int) -> list[GroupLine]:
    """Return the lines with one for each period between two of them; as they are if that makes more than `most`.

    Lines that were added have no figures. Nothing is added to lines in the order of a figure.
    """
    days = [each.values[0].cell.value for each in lines]
    known = [each for each in days if isinstance(each, dt.date)]
    if not group.period or group.definition.by_measure is not None or len(known) < 2:  # noqa: PLR2004  nothing between
        return lines
    by_day = {day: line for day, line in zip(days, lines, strict=True) if isinstance(day, dt.date)}
    found: list[GroupLine] = []
    for day in _iterate(min(known), max(known), period=group.period):
        found.append(by_day.pop(day) if day in by_day else _build_empty(day, period=group.period))
        if len(found) > most:
            return lines
    if by_day:
        return lines
    if group.definition.descending:
        found.reverse()
    return [*found, *(line for day, line in zip(days, lines, strict=True) if not isinstance(day, dt.date))][:most]


def _iterate(day: dt.date, last: dt.date, *, period: str) -> Iterator[dt.date]:
    while day <= last:
        yield day
        day = _step(day, period=period)


def _step(day: dt.date, *, period: str) -> dt.date:
    if period in _DAYS:
        return day + dt.timedelta(days=_DAYS[Period(period)])
    months = day.month - 1 + _MONTHS[Period(period)]
    return dt.date(day.year + months // _IN_A_YEAR, months % _IN_A_YEAR + 1, 1)


def _build_empty(day: dt.date, *, period: str) -> GroupLine:
    cell = ReportCell(value=day, text=describe_period(day=day, period=period))
    return GroupLine(values=(GroupValue(identity=day.isoformat(), cell=cell),), figures=())
