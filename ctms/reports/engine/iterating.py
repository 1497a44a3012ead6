"""All groups of a report, in their order and in bounded memory, for files."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from ctms.records.fields.kinds.currency import Money
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.keyset import order_all
from ctms.reports.engine.matrices import MatrixLine, add_cells, read_across
from ctms.reports.engine.measures import join_money
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.summaries import (
    GroupLine,
    GroupStatement,
    Sums,
    list_keys,
    name_figure,
    open_groups,
    read_figures,
)
from ctms.reports.errors import ReportError

_CHUNK = 500
Currencies = Mapping[int, Iterable[str]]  # of measures of amounts, by their number
_LINES_WITH_CELLS = 100  # of a matrix, whose cells one statement reads


def iterate_groups(opened: OpenReport, *, total: GroupLine) -> Iterator[GroupLine]:
    """Yield the groups in the order of the pages, each behind those that it stands in.

    One statement reads the groups of each level; one alone if their figures can be added up. `total` is that of the
    report: it tells the currencies. Run it in one snapshot, so that groups and subtotals are of the same rows. Raises
    InvalidReportError.
    """
    opened.require_valid()
    if (sums := Sums.add_to(statement := open_groups(opened, groups=opened.groups))) is not None:
        yield from _iterate_sums(opened, statement=statement, sums=sums)
        return
    currencies = list_currencies(total)
    levels = [
        _iterate_level(opened, groups=opened.groups[:level], currencies=currencies)
        for level in range(1, len(opened.groups) + 1)
    ]
    *upper, leaves = levels
    before: list[str] = []
    for leaf in itertools.islice(leaves, opened.definition.row_limit):
        at = leaf.at
        for level, lines in enumerate(upper, start=1):
            if before[:level] != at[:level]:
                yield _find(lines, at=at[:level])
        yield leaf
        before = at


def _iterate_sums(opened: OpenReport, *, statement: GroupStatement, sums: Sums) -> Iterator[GroupLine]:
    names = [*statement.names, *statement.figure_names]
    ordered = order_all(records=sums.records, keys=list_keys(statement)).values_list(*names, *sums.all_names)
    before: list[str] = []
    for row in itertools.islice(ordered.iterator(chunk_size=_CHUNK), opened.definition.row_limit):
        leaf = read_line(statement, row[: len(names)])
        at = leaf.at
        for level, line in enumerate(sums.read(leaf.values, row[len(names) :])):
            if before[:level] != at[:level]:
                yield line
        yield leaf
        before = at


def list_currencies(total: GroupLine) -> dict[int, list[str]]:
    """Return the currencies of each measure of amounts, by its number."""
    return {
        index: [each.currency for each in figure.amounts]
        for index, figure in enumerate(total.figures)
        if figure.amounts
    }


def list_across(opened: OpenReport, *, most: int) -> list[GroupLine]:
    """Return the groups across a matrix. Raises InvalidReportError, and ReportError if there are more than `most`."""
    opened.require_valid()
    across = read_across(opened, most=most)
    if len(across) > most:
        raise ReportError(
            f"The report has more than {most:,} columns across, which no file has room for. Narrow its filters, or "
            "make what goes across a group instead."
        )
    return across


def iterate_matrix(opened: OpenReport, *, total: GroupLine) -> Iterator[MatrixLine]:
    """Yield the rows of a matrix in the order of the pages, as `iterate_groups`. Raises InvalidReportError."""
    opened.require_valid()
    found = _iterate_level(opened, groups=opened.groups, currencies=list_currencies(total))
    lines = itertools.islice(found, opened.definition.row_limit)
    while chunk := list(itertools.islice(lines, _LINES_WITH_CELLS)):
        yield from add_cells(opened, lines=chunk)


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """The statement of the groups of a level, its rows in their order, and the names of what is read of them."""

    statement: GroupStatement
    ordered: QuerySet[Any]

    @property
    def names(self) -> list[str]:
        return [*self.statement.names, *self.statement.figure_names, *self.statement.amounts]

    def find_figure(self, measure: int) -> str:
        """Return the name of a measure's figure; of one of amounts, in the first currency."""
        amounts = (name for name, (index, _) in self.statement.amounts.items() if index == measure)
        return next(amounts, name_figure(measure))


def open_level(
    opened: OpenReport,
    *,
    groups: Sequence[GroupBy],
    currencies: Currencies | None,
    among: Sequence[Sequence[GroupValue]] | None = None,
) -> Level:
    """Return the statement of the groups; amounts are in these currencies alone."""
    statement = open_groups(opened, groups=groups, among=among, currencies=currencies)
    return Level(statement=statement, ordered=order_all(records=statement.records, keys=list_keys(statement)))


def _iterate_level(opened: OpenReport, *, groups: Sequence[GroupBy], currencies: Currencies) -> Iterator[GroupLine]:
    level = open_level(opened, groups=groups, currencies=currencies)
    for row in level.ordered.values_list(*level.names).iterator(chunk_size=_CHUNK):
        yield read_line(level.statement, row)


def read_line(statement: GroupStatement, row: Sequence[Any]) -> GroupLine:
    """Return the group of a row of the statement, with its amounts."""
    begin = len(statement.names)
    end = begin + len(statement.figure_names)
    values = statement.read_groups(row[:begin])
    money = _read_money(statement, amounts=row[end:], at=values)
    return GroupLine(values=values, figures=read_figures(statement.measures, row[begin:end], money=money, at=values))


def _read_money(
    statement: GroupStatement, *, amounts: Sequence[Any], at: Sequence[GroupValue]
) -> dict[tuple[int, tuple[str, ...]], list[Money]]:
    names = tuple(each.identity for each in at)
    found: dict[tuple[int, tuple[str, ...]], list[tuple[str, Any]]] = {}
    for (index, code), amount in zip(statement.amounts.values(), amounts, strict=True):
        if amount is not None:
            found.setdefault((index, names), []).append((code, amount))
    return {key: join_money(pairs) for key, pairs in found.items()}


def _find(lines: Iterator[GroupLine], *, at: list[str]) -> GroupLine:
    """Return the next line of these groups. Lines before it are of groups that have come since."""
    for line in lines:
        if line.at == at:
            return line
    raise ReportError("The rows were changed while the report was read. Try again.")
