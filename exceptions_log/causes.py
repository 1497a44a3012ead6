"""What equal failures have in common: their error message without the values of their records."""

from __future__ import annotations

import re

_VALUES = re.compile(
    r"""
    (?<!\w)'(?:[^'\\]|\\.)*'(?!\w)  # a text as Python writes it
    | (?<!\w)"(?:[^"\\]|\\.)*"(?!\w)
    | \b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b  # a UID
    | \b(?=\w*\d)[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?\b  # an id of the CRM
    | \b\d+\b
    """,
    re.VERBOSE,
)


def strip_values(message: str) -> str:
    """Return an error message with each quoted text, UID, CRM id and number replaced by `…`.

    Names of rules stand in typographic quotation marks, which are kept.
    """
    return _VALUES.sub("…", message)
