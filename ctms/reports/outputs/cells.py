"""What files get of a report: numbers, dates, and moments in the reader's time zone; amounts beside their currency."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from ctms.records.fields.kinds.base import Aggregate, Cell, kind_of
from ctms.records.fields.kinds.currency import Money
from ctms.reports.choices import Period
from ctms.reports.engine.columns import Column, ReportCell
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.measures import Figure, Measure, is_money
from ctms.reports.engine.opening import OpenReport
from ctms.reports.errors import InvalidReportError, Problem

NOTHING: Cell = ""


def list_labels(columns: Sequence[Column]) -> list[str]:
    """Return the labels of columns, with the object before one that another column has, too."""
    labels = [each.label for each in columns]
    counted = Counter(labels)
    marked = [
        f"{column.part.label}: {label}" if counted[label] > 1 else label
        for column, label in zip(columns, labels, strict=True)
    ]
    counted = Counter(marked)
    return [
        f"{label} ({column.key})" if counted[label] > 1 else label
        for column, label in zip(columns, marked, strict=True)
    ]


def require_columns(opened: OpenReport) -> None:
    """Raise InvalidReportError for a list of rows that has no columns."""
    if not opened.columns:
        raise InvalidReportError([Problem(part="columns", text="The report has no columns. Choose some.")])


def write_cells(*, column: Column, cell: ReportCell, zone: dt.tzinfo) -> list[Cell]:
    """Return the cells of a value: one, or amount and currency."""
    if is_money(column):
        money: Any = cell.value
        return [money.amount, money.currency] if isinstance(money, Money) else [NOTHING, NOTHING]
    return [_write_value(column=column, cell=cell, zone=zone)]


def write_group(*, group: GroupBy, value: GroupValue, zone: dt.tzinfo) -> Cell:
    """Return the cell of a group. A period is written as in ISO 8601: `2026-03`, `2026-W10`, `2026-Q1`."""
    if value.cell.value is None:
        return value.text
    if group.period and isinstance(value.cell.value, dt.date):
        return _write_period(day=value.cell.value, period=group.period)
    return _write_value(column=group.column, cell=value.cell, zone=zone)


def write_figure(*, measure: Measure, figure: Figure | None, currencies: Sequence[str], zone: dt.tzinfo) -> list[Cell]:
    """Return the cells of a figure: one, or an amount for each of the currencies. Where there is none, it is empty."""
    if measure.is_money:
        amounts = {each.currency: each.amount for each in figure.amounts} if figure else {}
        return [amounts.get(code, NOTHING) for code in currencies] or [NOTHING]
    if figure is None or figure.value is None:
        return [NOTHING]
    column = measure.column
    if column is None or measure.function in (Aggregate.COUNT, Aggregate.DISTINCT):
        return [figure.value]
    if isinstance(figure.value, int | float | Decimal):
        return [figure.value]
    return [_write_value(column=column, cell=ReportCell(value=figure.value, text=figure.text), zone=zone)]


def _write_value(*, column: Column, cell: ReportCell, zone: dt.tzinfo) -> Cell:
    if cell.value is None:
        return NOTHING
    if cell.is_hidden or column.field.reference is not None:
        return cell.text
    shape = column.subject.shape
    return kind_of(column.field).write_cell(value=cell.value, field=column.field, shape=shape, zone=zone)


def _write_period(*, day: dt.date, period: str) -> Cell:
    if period == Period.WEEK:
        year, week, _ = day.isocalendar()
        return f"{year}-W{week:02}"
    if period == Period.MONTH:
        return f"{day:%Y-%m}"
    if period == Period.QUARTER:
        return f"{day.year}-Q{(day.month + 2) // 3}"
    return day.year if period == Period.YEAR else day
