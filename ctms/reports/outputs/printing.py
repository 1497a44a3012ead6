"""A report as a page to be printed: its lines in words, its conditions, and whether it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from django.conf import settings

from ctms.records.conditions.words import describe_group
from ctms.reports.engine.groups import GroupValue
from ctms.reports.engine.iterating import iterate_groups, iterate_matrix
from ctms.reports.engine.limits import read_snapshot
from ctms.reports.engine.matrices import MOST_ACROSS, read_across
from ctms.reports.engine.measures import Figure
from ctms.reports.engine.opening import OpenReport, list_conditions
from ctms.reports.engine.rows import iterate_rows
from ctms.reports.engine.summaries import GroupLine, read_total
from ctms.reports.outputs.cells import list_labels, require_columns

MOST_PRINTED = 5000
_TOTAL = "Total"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedCell:
    """A text of a line. `is_heading` says that it names the line."""

    text: str
    is_number: bool = False
    is_heading: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PrintedLine:
    """A line: its cells, and how far it gathers others: a total most of all, a row not at all."""

    cells: tuple[PrintedCell, ...]
    weight: str = ""  # subtotal or total


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What a page to be printed shows. `is_cut` says that there are more lines, or more columns, than it has."""

    conditions: list[str]
    heading: list[PrintedCell]
    lines: list[PrintedLine]
    is_cut: bool = False
    has_more_columns: bool = False


def open_print(opened: OpenReport, *, at: Sequence[str | None] = (), most: int = MOST_PRINTED) -> Printed:
    """Return the report for print: at most so many lines; with `at`, of the rows behind a figure.

    Raises InvalidReportError, UnknownGroupError, ReportTooSlowError and ReportError.
    """
    opened.require_valid()
    with read_snapshot(settings.REPORT_SECONDS):
        if at or not opened.is_grouped:
            return _print_rows(opened, at=at, most=most)
        return _print_matrix(opened, most=most) if opened.across is not None else _print_summary(opened, most=most)


def describe_conditions(opened: OpenReport) -> list[str]:
    """Return the conditions of a report in words, each with the object that it is on where there are two."""
    return [
        f"{part.label}: {describe_group(group)}" if opened.related is not None else describe_group(group)
        for part, group in list_conditions(opened)
    ]


def _print_rows(opened: OpenReport, *, at: Sequence[str | None], most: int) -> Printed:
    require_columns(opened)
    labels = list_labels(opened.columns)
    rows = list(itertools.islice(iterate_rows(opened, at=at), most + 1))
    numbers = [each.is_number for each in opened.columns]
    return Printed(
        conditions=describe_conditions(opened),
        heading=[
            PrintedCell(text=label, is_number=is_number) for label, is_number in zip(labels, numbers, strict=True)
        ],
        lines=[
            PrintedLine(
                cells=tuple(
                    PrintedCell(text=cell.text, is_number=is_number)
                    for cell, is_number in zip(row, numbers, strict=True)
                )
            )
            for row in rows[:most]
        ],
        is_cut=len(rows) > most,
    )


def _print_summary(opened: OpenReport, *, most: int) -> Printed:
    total = read_total(opened)
    found = list(itertools.islice(iterate_groups(opened, total=total), most + 1))
    depth = len(opened.groups)
    lines = [
        PrintedLine(
            cells=(*_print_groups(line.values, depth=depth), *_print_figures(line.figures)),
            weight="" if line.level == depth else "subtotal",
        )
        for line in found[:most]
    ]
    return Printed(
        conditions=describe_conditions(opened),
        heading=_head(opened, figures=[each.label for each in opened.measures]),
        lines=[*lines, _print_total([total], depth=depth)],
        is_cut=len(found) > most,
    )


def _print_matrix(opened: OpenReport, *, most: int) -> Printed:
    total = read_total(opened)
    across = read_across(opened)
    shown, depth = across[:MOST_ACROSS], len(opened.groups)
    found = list(itertools.islice(iterate_matrix(opened, total=total), most + 1))
    nothing = tuple(Figure(value=None, text="") for _ in opened.measures)
    before: list[str] = []
    lines = []
    for line in found[:most]:
        at = [each.identity for each in line.values]
        same = next((level for level in range(depth) if before[: level + 1] != at[: level + 1]), depth - 1)
        figures = itertools.chain(*(line.cells.get(each.values[0].identity, nothing) for each in shown), line.figures)
        cells = (*_print_groups(line.values, depth=depth, first=same), *_print_figures(figures))
        lines.append(PrintedLine(cells=cells))
        before = at
    labels = [each.label for each in opened.measures]
    return Printed(
        conditions=describe_conditions(opened),
        heading=_head(
            opened,
            figures=[
                f"{name}: {label}" if len(labels) > 1 else name
                for name in (*(each.values[0].text for each in shown), _TOTAL)
                for label in labels
            ],
        ),
        lines=[*lines, _print_total([*shown, total], depth=depth)],
        is_cut=len(found) > most,
        has_more_columns=len(across) > MOST_ACROSS,
    )


def _head(opened: OpenReport, *, figures: Iterable[str]) -> list[PrintedCell]:
    groups = [PrintedCell(text=each.label) for each in opened.groups]
    return [*groups, *(PrintedCell(text=label, is_number=True) for label in figures)]


def _print_groups(values: Sequence[GroupValue], *, depth: int, first: int | None = None) -> Iterator[PrintedCell]:
    """Yield the cells of the groups: those before `first` stand in a line above, and are not said again."""
    begin = len(values) - 1 if first is None else first
    for level in range(depth):
        is_said = begin <= level < len(values)
        yield PrintedCell(text=values[level].text if is_said else "", is_heading=level == len(values) - 1)


def _print_figures(figures: Iterable[Figure]) -> Iterator[PrintedCell]:
    for each in figures:
        yield PrintedCell(text=each.text, is_number=True)


def _print_total(lines: Sequence[GroupLine], *, depth: int) -> PrintedLine:
    names = (PrintedCell(text=_TOTAL, is_heading=True), *(PrintedCell(text="") for _ in range(depth - 1)))
    figures = itertools.chain.from_iterable(each.figures for each in lines)
    return PrintedLine(cells=(*names, *_print_figures(figures)), weight="total")
