"""Recognises texts that a spreadsheet or another program left in place of a value."""

from __future__ import annotations

import re

# `#REF!`, `#BEZUG!`, `#NAME?`, `#DIV/0!`, `#N/A` in the languages of Excel; `####` is a column that was too narrow.
_ERROR = re.compile(r"#(?:[\w¡/]+[!?]|N/?[ADV]|#{2,})$", re.IGNORECASE)
_SHORTENED = re.compile(r"[+-]?\d(?:[.,]\d+)?E[+-]?\d{1,3}$", re.IGNORECASE)
_PLACEHOLDERS = frozenset(
    {
        *("n/a", "n.a.", "null", "(null)", "nan", "none", "nil", "undefined", "(blank)", "(leer)", "(vide)"),
        *("k.a.", "k. a.", "n.v.", "n/d", "b/d", "s/o"),
    }
)


def explain_leaving(text: str) -> str:
    """Return what is wrong with a text that is probably no value, and what to do; empty if nothing is."""
    if _ERROR.match(text):
        return (
            f"“{text}” is what a spreadsheet shows instead of a value. Correct the cell in the file, unless the text "
            "is meant."
        )
    if text.casefold() in _PLACEHOLDERS:
        return f"“{text}” would be stored as a text. Empty the cell in the file if it means that there is no value."
    return explain_shortened(text)


def explain_shortened(text: str) -> str:
    """Return what is wrong with a number that a spreadsheet has shortened; empty for any other text."""
    if _SHORTENED.match(text):
        return (
            f"“{text}” is a number as a spreadsheet shortens it, which may have lost digits. Write it in full in the "
            "file."
        )
    return ""
