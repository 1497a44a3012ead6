"""Leading zeros of numbers such as 03201, which a spreadsheet takes away when it opens a file."""

from __future__ import annotations

from enum import StrEnum

from django.core.exceptions import ValidationError

_LONGEST = 12  # digits of a number with its zeros
_MOST_ZEROS = 5


class ZeroAnswer(StrEnum):
    """What becomes of numbers that are names of records without their zeros."""

    OPEN = ""
    RESTORE = "restore"
    KEEP = "keep"


class LostZerosError(ValidationError):
    """A number is that of a record but for its leading zeros, and nobody has said yet what is meant."""


def list_padded(text: str) -> list[str]:
    """Return the digits with one zero and more before them; nothing if the text is no number."""
    if not (text.isascii() and text.isdigit()):
        return []
    return [text.rjust(length, "0") for length in range(len(text) + 1, min(len(text) + _MOST_ZEROS, _LONGEST) + 1)]


def explain_lost_zeros(*, text: str, meant: str) -> str:
    """Return what is wrong with the number `text` of a file where a record has the number `meant`."""
    return f"There is no “{text}”, but there is “{meant}”. Say above whether the file has lost leading zeros."
