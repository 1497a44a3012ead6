"""A report as the lines of a file: any number of them, in bounded memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ctms.records.fields.kinds.base import Cell, kind_of
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.iterating import iterate_groups, iterate_matrix, list_across, list_currencies
from ctms.reports.engine.measures import Figure, is_money
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import iterate_rows
from ctms.reports.engine.summaries import GroupLine, read_total
from ctms.reports.outputs.cells import list_labels, require_columns, write_cells, write_figure, write_group

MOST_ACROSS = 250  # columns of a matrix, for each figure
_FIGURE_WIDTH, _CURRENCY_WIDTH, _LINE_WIDTH = 16, 10, 10
# What a line of a summary is, in a column of its own, so that nobody adds up what is a sum already.
_LINE, _GROUP, _SUBTOTAL, _TOTAL = "Line", "Group", "Subtotal", "Total"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The heading of a file, the characters of each column in a workbook, and its lines, which are read once."""

    heading: list[str]
    widths: list[int]
    lines: Iterator[list[Cell]]


def open_table(opened: OpenReport, *, zone: dt.tzinfo, at: Sequence[str | None] = ()) -> Table:
    """Return the report as a table: its rows, groups or matrix; with `at`, the rows behind a figure.

    Moments are in the time zone. Raises InvalidReportError, UnknownGroupError and ReportError.
    """
    opened.require_valid()
    if at or not opened.is_grouped:
        return _open_rows(opened, zone=zone, at=at)
    return _open_matrix(opened, zone=zone) if opened.across is not None else _open_summary(opened, zone=zone)


def _open_rows(opened: OpenReport, *, zone: dt.tzinfo, at: Sequence[str | None]) -> Table:
    require_columns(opened)
    heading: list[str] = []
    widths: list[int] = []
    for column, label in zip(opened.columns, list_labels(opened.columns), strict=True):
        heading += [label, f"{label} (currency)"] if is_money(column) else [label]
        widths += [column.width, _CURRENCY_WIDTH] if is_money(column) else [column.width]
    lines = (
        [
            cell
            for column, found in zip(opened.columns, row, strict=True)
            for cell in write_cells(column=column, cell=found, zone=zone)
        ]
        for row in iterate_rows(opened, at=at)
    )
    return Table(heading=heading, widths=widths, lines=lines)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Writer:
    """Writes the groups and figures of a report as cells."""

    opened: OpenReport
    total: GroupLine
    zone: dt.tzinfo

    @property
    def group_labels(self) -> list[str]:
        return _label_groups(self.opened.groups)

    @property
    def group_widths(self) -> list[int]:
        return [kind_of(each.column.field).export_width for each in self.opened.groups]

    @property
    def figure_labels(self) -> list[str]:
        return [
            label
            for measure, codes in zip(self.opened.measures, self._list_codes(), strict=True)
            for label in ([f"{measure.label} ({code})" for code in codes] or [measure.label])
        ]

    def write_groups(self, values: Sequence[GroupValue]) -> list[Cell]:
        """Return a cell for each group of the report; those that a subtotal or total is not of are empty."""
        cells = [
            write_group(group=group, value=value, zone=self.zone)
            for group, value in zip(self.opened.groups, values, strict=False)
        ]
        return [*cells, *[""] * (len(self.opened.groups) - len(cells))]

    def write_figures(self, figures: Sequence[Figure] | None) -> list[Cell]:
        """Return the cells of figures; empty ones for a cell of a matrix that no row is in."""
        found: Sequence[Figure | None] = figures or [None] * len(self.opened.measures)
        return [
            cell
            for measure, figure, codes in zip(self.opened.measures, found, self._list_codes(), strict=True)
            for cell in write_figure(measure=measure, figure=figure, currencies=codes, zone=self.zone)
        ]

    def _list_codes(self) -> list[list[str]]:
        currencies = list_currencies(self.total)
        return [currencies.get(index, []) for index in range(len(self.opened.measures))]


def _open_summary(opened: OpenReport, *, zone: dt.tzinfo) -> Table:
    total = read_total(opened)
    writer = _Writer(opened=opened, total=total, zone=zone)
    labels = writer.figure_labels

    def list_lines() -> Iterator[list[Cell]]:
        for line in iterate_groups(opened, total=total):
            mark = _GROUP if line.level == len(opened.groups) else _SUBTOTAL
            yield [mark, *writer.write_groups(line.values), *writer.write_figures(line.figures)]
        yield [_TOTAL, *writer.write_groups(()), *writer.write_figures(total.figures)]

    return Table(
        heading=[_LINE, *writer.group_labels, *labels],
        widths=[_LINE_WIDTH, *writer.group_widths, *[_FIGURE_WIDTH] * len(labels)],
        lines=list_lines(),
    )


def _open_matrix(opened: OpenReport, *, zone: dt.tzinfo) -> Table:
    total = read_total(opened)
    across = list_across(opened, most=MOST_ACROSS)
    writer = _Writer(opened=opened, total=total, zone=zone)
    headings = [*(each.values[0].text for each in across), _TOTAL]
    labels = [
        f"{heading}: {label}" if len(writer.figure_labels) > 1 else heading
        for heading in headings
        for label in writer.figure_labels
    ]

    def list_lines() -> Iterator[list[Cell]]:
        for line in iterate_matrix(opened, total=total):
            found = [line.cells.get(each.values[0].identity) for each in across]
            cells = [cell for figures in [*found, line.figures] for cell in writer.write_figures(figures)]
            yield [_GROUP, *writer.write_groups(line.values), *cells]
        columns = [cell for each in [*across, total] for cell in writer.write_figures(each.figures)]
        yield [_TOTAL, *writer.write_groups(()), *columns]

    return Table(
        heading=[_LINE, *writer.group_labels, *labels],
        widths=[_LINE_WIDTH, *writer.group_widths, *[_FIGURE_WIDTH] * len(labels)],
        lines=list_lines(),
    )


def _label_groups(groups: Sequence[GroupBy]) -> list[str]:
    labels = list_labels([each.column for each in groups])
    # The same date may be grouped by month and by day.
    return [label if label != group.column.label else group.label for group, label in zip(groups, labels, strict=True)]
