"""The figures of a chart: of a report's first group, and of a second one within it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db.models import F

from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.iterating import Currencies, open_level, read_line
from ctms.reports.engine.measures import Figure
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.summaries import GroupLine, build_among

# The figures of a cell, by the identities of its two groups.
Cells = Mapping[tuple[str, str], tuple[Figure, ...]]


def read_categories(opened: OpenReport, *, currencies: Currencies | None, most: int) -> list[GroupLine]:
    """Return the first groups in their order: at most one more than `most`."""
    level = open_level(opened, groups=opened.groups[:1], currencies=currencies)
    return [read_line(level.statement, row) for row in level.ordered.values_list(*level.names)[: most + 1]]


def read_series(
    opened: OpenReport, *, second: GroupBy, measure: int, currencies: Currencies | None, most: int
) -> list[GroupValue]:
    """Return the second groups: all of them in their order, or the greatest of them, one more than `most`."""
    level = open_level(opened, groups=[second], currencies=currencies)
    found = [read_line(level.statement, row) for row in level.ordered.values_list(*level.names)[: most + 1]]
    if len(found) > most:
        name = level.find_figure(measure)
        greatest = level.statement.records.order_by(F(name).desc(nulls_last=True), *level.statement.names)
        found = [read_line(level.statement, row) for row in greatest.values_list(*level.names)[: most + 1]]
    return [each.values[0] for each in found]


def read_cells(
    opened: OpenReport,
    *,
    second: GroupBy,
    currencies: Currencies | None,
    categories: Sequence[GroupValue] | None,
    series: Sequence[GroupValue] | None,
) -> Cells:
    """Return the figures of each first group with each second; only of these categories and series, if given."""
    level = open_level(
        opened,
        groups=[opened.groups[0], second],
        currencies=currencies,
        among=[[each] for each in categories] if categories is not None else None,
    )
    records = level.statement.records.order_by()
    if series is not None:
        records = records.filter(build_among(level.statement.readers[1:], [[each] for each in series]))
    found = {}
    for row in records.values_list(*level.names):
        line = read_line(level.statement, row)
        first, other = line.at
        found[first, other] = line.figures
    return found
