"""Protects spreadsheets from text that they would run as a formula: exports put an apostrophe before it.

Imports remove it again. Text that already has such an apostrophe gets a second one, so that it survives both ways.
"""

from __future__ import annotations

import re

_START = r"^(?='*[=+\-@\t\r\n])"
# A spreadsheet whose locale separates by semicolons or tabs splits a comma-separated file differently: a cell begins
# after each of them, even within quotation marks, and a row after each line break.
_INSIDE = r"(?<=[;\t\r\n])(\"*)(?='*[=+\-@])"
_FORMULA_START = re.compile(_START)
_FORMULA = re.compile(f"{_START}|{_INSIDE}")
_NEUTRALISED = re.compile(r"^'(?='*[=+\-@\t\r\n])|(?<=[;\t\r\n])(\"*)'(?='*[=+\-@])")


def neutralise(text: str) -> str:
    """Put an apostrophe before a text that would be a formula, for a cell that is never split, as in a workbook."""
    return _FORMULA_START.sub("'", text)


def neutralise_line(text: str) -> str:
    """Put an apostrophe before every part of a CSV cell that would be a formula if a spreadsheet split the cell."""
    return _FORMULA.sub(lambda found: f"{found[1] or ''}'", text)


def restore(text: str) -> str:
    """Remove the apostrophes that `neutralise` or `neutralise_line` put into a text."""
    return _NEUTRALISED.sub(lambda found: found[1] or "", text)
