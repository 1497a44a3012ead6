"""Protects spreadsheets from text of a CSV file that they would run as a formula, by an apostrophe before it.

In a workbook, a cell of text is never run, so nothing is put before it there. Imports of CSV files remove the
apostrophe again. Text that already has such an apostrophe gets a second one, so that it survives both ways.
"""

from __future__ import annotations

import re

_START = r"^(?='*[=+\-@\t\r\n])"
# A spreadsheet whose locale separates by semicolons or tabs splits a comma-separated file differently: a cell begins
# after each of them, even within quotation marks, and a row after each line break.
_INSIDE = r"(?<=[;\t\r\n])(\"*)(?='*[=+\-@])"
_FORMULA = re.compile(f"{_START}|{_INSIDE}")
_NEUTRALISED = re.compile(r"^'(?='*[=+\-@\t\r\n])|(?<=[;\t\r\n])(\"*)'(?='*[=+\-@])")


def neutralise_line(text: str) -> str:
    """Put an apostrophe before every part of a CSV cell that would be a formula if a spreadsheet split the cell."""
    return _FORMULA.sub(lambda found: f"{found[1] or ''}'", text)


def restore(text: str) -> str:
    """Remove the apostrophes that `neutralise_line` put into a text."""
    return _NEUTRALISED.sub(lambda found: found[1] or "", text)
