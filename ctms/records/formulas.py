"""Texts that a spreadsheet would take for a formula: an export puts an apostrophe before them, an import takes it away.

A text that has such an apostrophe of its own gets a second one, so that what is exported and imported stays the same.
"""

from __future__ import annotations

import re

_START = r"^(?='*[=+\-@\t\r\n])"
# Where semicolons or tabs separate lists, a spreadsheet reads a file with commas otherwise than it was written: a cell
# begins after each of them, quotation marks or not, and a row after each line break.
_INSIDE = r"(?<=[;\t\r\n])(\"*)(?='*[=+\-@])"
_FORMULA_START = re.compile(_START)
_FORMULA = re.compile(f"{_START}|{_INSIDE}")
_NEUTRALISED = re.compile(r"^'(?='*[=+\-@\t\r\n])|(?<=[;\t\r\n])(\"*)'(?='*[=+\-@])")


def neutralise(text: str) -> str:
    """The text of a cell that is a cell wherever it is opened, with an apostrophe before what would be a formula."""
    return _FORMULA_START.sub("'", text)


def neutralise_line(text: str) -> str:
    """The same for a cell of a CSV file, which may be cut into several: also within the text."""
    return _FORMULA.sub(lambda found: f"{found[1] or ''}'", text)


def restore(text: str) -> str:
    """The text without the apostrophes that were put into it."""
    return _NEUTRALISED.sub(lambda found: found[1] or "", text)
