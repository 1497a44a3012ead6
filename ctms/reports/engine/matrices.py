"""A report as a matrix: groups in its rows, one more group across, and a figure in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ctms.reports.engine.groups import GroupValue
from ctms.reports.engine.keyset import cut_page, order_all
from ctms.reports.engine.limits import limit_time
from ctms.reports.engine.measures import Figure
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.summaries import (
    GroupLine,
    list_keys,
    open_groups,
    read_figures,
    read_money,
    read_total,
)

MOST_ACROSS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixLine:
    """A row: its groups, the figures of each cell by the identity of its column, and those of the whole row."""

    values: tuple[GroupValue, ...]
    cells: Mapping[str, tuple[Figure, ...]]
    figures: tuple[Figure, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MatrixPage:
    """A page of a matrix. `across` are its columns, each with the figures of the whole column.

    `is_cut` says that there are more columns than are shown; the figures of rows and the total count them all.
    """

    across: list[GroupLine]
    lines: list[MatrixLine]
    total: GroupLine
    is_cut: bool
    before: int
    next: str
    previous: str


def read_matrix(opened: OpenReport, *, size: int, place: str = "") -> MatrixPage:
    """Return a page of `size` rows. Raises InvalidReportError, InvalidPlaceError and ReportTooSlowError."""
    opened.require_valid()
    if opened.across is None:
        raise TypeError("The report has nothing across.")
    statement = open_groups(opened, groups=opened.groups)
    with limit_time():
        cut = cut_page(
            records=statement.records,
            keys=list_keys(statement),
            names=[*statement.names, *statement.figure_names],
            size=size,
            place=place,
            scope=opened.scope,
            limit=opened.definition.row_limit,
        )
        count = len(statement.names)
        rows = [(statement.read_groups(row[:count]), row[count:]) for row in cut.rows]
        money = read_money(opened, groups=opened.groups, among=[values for values, _ in rows])
        lines = [
            GroupLine(values=values, figures=read_figures(opened.measures, row, money=money, at=values))
            for values, row in rows
        ]
        across = read_across(opened)
        lines_with_cells = add_cells(opened, lines=lines)
        total = read_total(opened)
    return MatrixPage(
        across=across[:MOST_ACROSS],
        lines=lines_with_cells,
        total=total,
        is_cut=len(across) > MOST_ACROSS,
        before=cut.before,
        next=cut.next,
        previous=cut.previous,
    )


def read_across(opened: OpenReport, *, most: int = MOST_ACROSS) -> list[GroupLine]:
    """Return what goes across, with the figures of all rows: at most one more than `most`."""
    if opened.across is None:
        return []
    statement = open_groups(opened, groups=[opened.across])
    names, count = [*statement.names, *statement.figure_names], len(statement.names)
    ordered = order_all(records=statement.records, keys=list_keys(statement))
    found = [tuple(row) for row in ordered.values_list(*names)[: most + 1]]
    values = [statement.read_groups(row[:count]) for row in found]
    money = read_money(opened, groups=[opened.across], among=values)
    return [
        GroupLine(values=value, figures=read_figures(opened.measures, row[count:], money=money, at=value))
        for value, row in zip(values, found, strict=True)
    ]


def add_cells(opened: OpenReport, *, lines: Sequence[GroupLine]) -> list[MatrixLine]:
    """Return these rows with their cells."""
    cells = _read_cells(opened, rows=[each.values for each in lines])
    return [MatrixLine(values=line.values, cells=cells.get(tuple(line.at), {}), figures=line.figures) for line in lines]


def _read_cells(
    opened: OpenReport, *, rows: Sequence[tuple[GroupValue, ...]]
) -> dict[tuple[str, ...], dict[str, tuple[Figure, ...]]]:
    cells: dict[tuple[str, ...], dict[str, tuple[Figure, ...]]] = {}
    if opened.across is None or not rows:
        return cells
    groups = [*opened.groups, opened.across]
    statement = open_groups(opened, groups=groups, among=rows)
    money = read_money(opened, groups=groups, among=rows)
    names, count = [*statement.names, *statement.figure_names], len(statement.names)
    found: Any = statement.records.order_by().values_list(*names)
    for row in found:
        values = statement.read_groups(row[:count])
        figures = read_figures(opened.measures, row[count:], money=money, at=values)
        *at, column = (each.identity for each in values)
        cells.setdefault(tuple(at), {})[column] = figures
    return cells
