"""Draws the lines of a report as a table of plain text."""

from __future__ import annotations

from collections.abc import Sequence

from ctms.reports.outputs.printing import Printed, PrintedCell

_WIDEST = 40
_GAP = "  "


def write_table(printed: Printed) -> str:
    """Return the table; a cell is one line, and cut where it is long."""
    rows = [[_write_cell(cell) for cell in each.cells] for each in printed.lines]
    heading = [_write_cell(cell) for cell in printed.heading]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    numbers = [each.is_number for each in printed.heading]
    lines = [heading, ["-" * width for width in widths], *rows]
    return "\n".join(_align(line, widths=widths, numbers=numbers) for line in lines)


def _align(cells: Sequence[str], *, widths: Sequence[int], numbers: Sequence[bool]) -> str:
    aligned = [
        cell.rjust(width) if is_number else cell.ljust(width)
        for cell, width, is_number in zip(cells, widths, numbers, strict=True)
    ]
    return _GAP.join(aligned).rstrip()


def _write_cell(cell: PrintedCell) -> str:
    text = " ".join(cell.text.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"
