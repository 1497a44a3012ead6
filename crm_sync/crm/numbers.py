"""Numbers as identifiers: how they are spelled as text, so that they can be compared letter by letter."""

from __future__ import annotations

import re
from typing import Any, Final

# The CRM's numbers are floating-point numbers, of which the first 15 digits are exact.
EXACT_DIGITS: Final = 15
_NUMBER: Final = re.compile(r"(?!-0\Z)-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", re.ASCII)


def spell_number(value: Any) -> str:
    """Return a value of the CRM as text: `1234567890` for the number 1234567890.0; any other value as it is.

    A number that is too large to be exact is spelled as no identifier is, so that it equals none.
    """
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**EXACT_DIGITS:
        return str(int(value))
    return str(value)


def is_spelled_number(text: str) -> bool:
    """Whether a text is an exact number as `spell_number` spells it: no leading zeros, at most 15 digits."""
    return _NUMBER.fullmatch(text) is not None and sum(map(str.isdigit, text)) <= EXACT_DIGITS
