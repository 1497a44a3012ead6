"""Whole numbers that requests hold as text: versions of records and keys of rows."""

from __future__ import annotations

MOST_DIGITS = 18  # databases store numbers of so many digits; Python does not read a number of thousands of them


def read_whole_number(text: str) -> int | None:
    """Return the number, such as 12; None for what is none, has a sign, or is larger than a database stores."""
    return int(text) if text.isdecimal() and len(text) <= MOST_DIGITS else None
