"""The result of a report as a table for a template: rows, groups with subtotals, or a matrix."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ctms.reports.engine.columns import Column, ReportCell
from ctms.reports.engine.groups import GroupValue
from ctms.reports.engine.matrices import MOST_ACROSS, MatrixPage, read_matrix
from ctms.reports.engine.measures import Figure, Measure
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.rows import read_rows
from ctms.reports.engine.summaries import GroupLine, SummaryPage, read_summary

# Returns the URL of the rows behind a figure, which the identities of its groups name; empty for no link.
FindRows = Callable[[Sequence[str | None]], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """A heading of a column. `url` sorts by it; `span` is how many columns it stands over."""

    label: str
    url: str = ""
    direction: str = ""
    is_number: bool = False
    span: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCell:
    """A cell. `name` says what a link to the rows behind a figure is about, for those who only hear it."""

    text: str
    url: str = ""
    name: str = ""
    is_number: bool = False
    is_heading: bool = False
    is_quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TableRow:
    """A row. That of a group in which others stand is a subtotal, by its level."""

    cells: list[TableCell]
    is_subtotal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A page of a report's result. `heads` are the lines of headings, `foot` the line of totals; `note` stands below.

    `next` and `previous` are the places of the pages beside it; empty for none.
    """

    heads: list[list[Heading]]
    rows: list[TableRow]
    foot: list[TableCell] = field(default_factory=list)
    before: int
    next: str
    previous: str
    note: str = ""
    lead: int = 0  # how many columns at the front name the row

    @property
    def shown(self) -> str:
        """Return which lines are on the page, such as `51–100`."""
        number = sum(not each.is_subtotal for each in self.rows)
        return f"{self.before + 1:,}–{self.before + number:,}" if number else "0"


def build_rows(
    opened: OpenReport,
    *,
    size: int,
    place: str,
    at: Sequence[str | None],
    build_heading: Callable[[Column], Heading],
) -> Table:
    """Return a page of rows. Raises what `read_rows` raises."""
    page = read_rows(opened, size=size, place=place, at=at)
    numbers = [each.is_number for each in opened.columns]
    return Table(
        heads=[[build_heading(each) for each in opened.columns]],
        rows=[
            TableRow(cells=[_build_cell(cell, is_number=number) for cell, number in zip(row, numbers, strict=True)])
            for row in page.rows
        ],
        before=page.before,
        next=page.next,
        previous=page.previous,
    )


def build_groups(opened: OpenReport, *, size: int, place: str, find_rows: FindRows) -> Table:
    """Return a page of groups, as a matrix if the report has something across. Raises what the engine raises."""
    if opened.across is not None:
        return _build_matrix(opened, page=read_matrix(opened, size=size, place=place), find_rows=find_rows)
    return _build_summary(opened, page=read_summary(opened, size=size, place=place), find_rows=find_rows)


def name_rows(at: Sequence[str | None]) -> str:
    """Return the groups as addresses name them."""
    return json.dumps(list(at), separators=(",", ":"))


def read_at(text: str, *, most: int) -> list[str | None]:
    """Return the groups that an address names, of which there are at most so many. Raises ValueError."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(text) from error
    if not isinstance(found, list) or len(found) > most or not all(isinstance(each, str | None) for each in found):
        raise ValueError(text)
    return found


def _build_cell(cell: ReportCell, *, is_number: bool) -> TableCell:
    return TableCell(text=cell.text, url=cell.url, is_number=is_number, is_quiet=cell.is_hidden)


def _build_summary(opened: OpenReport, *, page: SummaryPage, find_rows: FindRows) -> Table:
    levels = len(opened.groups)
    return Table(
        heads=[[*_list_group_heads(opened), *_list_measure_heads(opened.measures)]],
        rows=[
            TableRow(
                cells=[
                    *_list_group_cells(line, levels=levels),
                    *_list_figures(opened, line.figures, url=find_rows(line.at), values=line.values),
                ],
                is_subtotal=line.level < levels,
            )
            for line in page.lines
        ],
        foot=[
            *_list_total_cells(levels),
            *_list_figures(opened, page.total.figures, url=find_rows([]), values=()),
        ],
        before=page.before,
        next=page.next,
        previous=page.previous,
        lead=levels,
    )


def _build_matrix(opened: OpenReport, *, page: MatrixPage, find_rows: FindRows) -> Table:
    number = len(opened.measures)
    heads = [*_list_group_heads(opened)]
    columns = [each.values[0] for each in page.across]
    first = [
        *heads,
        *(Heading(label=each.text, is_number=True, span=number) for each in columns),
        Heading(label="Total", is_number=True, span=number),
    ]
    second = [Heading(label="") for _ in heads] + _list_measure_heads(opened.measures) * (len(columns) + 1)
    shares = "Columns" if opened.across is None else opened.across.label
    return Table(
        heads=[first, second] if number > 1 else [first],
        rows=[
            TableRow(
                cells=[
                    *(_build_group_cell(each) for each in line.values),
                    *(
                        cell
                        for column in columns
                        for cell in _list_figures(
                            opened,
                            line.cells.get(column.identity, ()),
                            url=find_rows([*(each.identity for each in line.values), column.identity]),
                            values=(*line.values, column),
                        )
                    ),
                    *_list_figures(
                        opened, line.figures, url=find_rows([each.identity for each in line.values]), values=line.values
                    ),
                ]
            )
            for line in page.lines
        ],
        foot=[
            *_list_total_cells(len(heads)),
            *(
                cell
                for each in page.across
                for cell in _list_figures(
                    opened, each.figures, url=find_rows([None] * len(heads) + [each.at[0]]), values=each.values
                )
            ),
            *_list_figures(opened, page.total.figures, url=find_rows([]), values=()),
        ],
        before=page.before,
        next=page.next,
        previous=page.previous,
        note=f"{shares}: the first {MOST_ACROSS} are shown; totals count them all." if page.is_cut else "",
        lead=len(heads),
    )


def _list_group_heads(opened: OpenReport) -> list[Heading]:
    return [Heading(label=each.label) for each in opened.groups]


def _list_measure_heads(measures: Sequence[Measure]) -> list[Heading]:
    return [Heading(label=each.label, is_number=True) for each in measures]


def _list_group_cells(line: GroupLine, *, levels: int) -> Iterator[TableCell]:
    """Yield a cell for each level: the group itself, and nothing for those that it stands in or that stand in it."""
    for level in range(1, levels + 1):
        yield _build_group_cell(line.values[-1]) if level == line.level else TableCell(text="")


def _build_group_cell(value: GroupValue) -> TableCell:
    return TableCell(text=value.text, url=value.cell.url, is_heading=True, is_quiet=value.cell.is_hidden)


def _list_total_cells(levels: int) -> list[TableCell]:
    return [TableCell(text="Total", is_heading=True), *(TableCell(text="") for _ in range(levels - 1))]


def _list_figures(
    opened: OpenReport, figures: Sequence[Figure], *, url: str, values: Sequence[GroupValue]
) -> list[TableCell]:
    """Return the cells of a group's figures; blank ones where a matrix has no rows."""
    if not figures:
        return [TableCell(text="", is_number=True) for _ in opened.measures]
    where = ", ".join(each.text for each in values) or "Total"
    return [
        TableCell(
            text=figure.text,
            url=url if figure.value is not None else "",
            name=f"{measure.label}, {where}: {figure.text}",
            is_number=True,
        )
        for measure, figure in zip(opened.measures, figures, strict=True)
    ]
