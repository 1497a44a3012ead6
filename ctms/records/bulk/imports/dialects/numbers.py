"""Reads numbers as people and spreadsheets write them. Nothing here knows about records.

`1,5` and `1.234,5` have a comma before the fraction, `1.5` and `1,234.5` a point; `1.234` can be either. As with dates,
`find_number_reading` decides for a whole column. `(5)` and `5-` are written by bookkeepers for -5. Digits of every
script count as what they are: `٣` is 3.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from ctms.core.errors import VaultError

_BLANKS = "'\u2019 \u00a0\u2007\u2009\u202f"  # between thousands, beside point and comma: Swiss marks, and spaces
_SHAPE = re.compile(
    rf"(?P<sign>[+\-\u2212]?)(?P<whole>\d+|\d{{1,3}}(?:[.,{_BLANKS}]\d{{3}})+)(?:(?P<mark>[.,])(?P<part>\d+))?$"
)
_IN_PARENTHESES = re.compile(r"\(\s*(?P<inner>[^()\s+\-\u2212][^()]*?)\s*\)$")
_SIGN_BEHIND = re.compile(r"(?P<inner>\d.*\d|\d)\s?[-\u2212]$")
_THOUSANDS = 3  # digits
_DIGIT = re.compile(r"[^\W\D0-9]")  # of another script than Latin


class DecimalMark(StrEnum):
    """What a column writes before the fraction of a number."""

    POINT = "point"
    COMMA = "comma"

    @property
    def sign(self) -> str:
        return "." if self is DecimalMark.POINT else ","


class MixedNumbersError(VaultError):
    """No single reading fits the numbers of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReading:
    """How the numbers of a column are read.

    `example` can be mistaken, shows the mark, or is written unusually; empty if no number does. `is_shown` says whether
    some number shows the mark. `assumed` could be mistaken, but has a point, which is certain in such a file.
    """

    mark: DecimalMark | None
    example: str = ""
    is_shown: bool = False
    assumed: str = ""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to say the mark."""
        return self.mark is None


def read_number(text: str, *, mark: DecimalMark) -> str | None:
    """Return a number without marks of thousands and with a point; None if it is none in this way of writing."""
    text = _DIGIT.sub(lambda digit: str(unicodedata.decimal(digit[0])), text)
    negative = _IN_PARENTHESES.match(text) or _SIGN_BEHIND.match(text)
    found = _SHAPE.match(negative["inner"] if negative else text)
    if found is None:
        return None
    whole, part = found["whole"], found["part"] or ""
    if found["mark"] and found["mark"] != mark.sign:
        # What looks like a fraction are thousands.
        if len(part) != _THOUSANDS or whole.startswith("0") or (whole.isdigit() and len(whole) > _THOUSANDS):
            return None
        whole, part = f"{whole}{found['mark']}{part}", ""
    if mark.sign in whole or len(set(re.sub(r"\d", "", whole))) > 1:
        return None
    digits = re.sub(r"\D", "", whole)
    sign = "-" if negative or found["sign"] in ("-", "\u2212") else ""
    return f"{sign}{digits}.{part}" if part else f"{sign}{digits}"


def list_numbers(text: str) -> dict[DecimalMark, str]:
    """Return what a number means with each mark that it can have."""
    return {mark: number for mark in DecimalMark if (number := read_number(text, mark=mark)) is not None}


def find_number_reading(
    *,
    label: str,
    cells: Iterable[tuple[int, str]],
    point_is_certain: bool,
    list_meanings: Callable[[str], Mapping[DecimalMark, str]] = list_numbers,
) -> NumberReading:
    """Decide what stands before the fraction in a column. `cells` are lines and texts.

    `list_meanings` returns what a text can mean by the mark, as `list_numbers`.

    Where both are possible, it is left to be asked for; but `1.234` has a fraction where numbers come with a point, as
    those of a workbook do.
    Raises MixedNumbersError if some cells allow only a point and others only a comma.
    """
    witnesses: dict[DecimalMark, tuple[int, str]] = {}
    doubtful = assumed = unusual = ""
    for line, text in cells:
        readings = list_meanings(text)
        if len(readings) == 1:
            witnesses.setdefault(next(iter(readings)), (line, text))
        elif len(set(readings.values())) > 1 and point_is_certain and "." in text:
            assumed = assumed or text
        elif len(set(readings.values())) > 1:
            doubtful = doubtful or text
        elif readings and text not in readings.values():
            unusual = unusual or text
    if len(witnesses) > 1:
        (line, point), (other, comma) = (witnesses[mark] for mark in DecimalMark)
        raise MixedNumbersError(
            f"{label}: {point} (line {line}) has a point before the fraction, {comma} (line {other}) a comma. Write "
            "all numbers of the column in one way, best as 1234.5."
        )
    if witnesses:
        mark, (_, text) = next(iter(witnesses.items()))
        return NumberReading(mark=mark, example=doubtful or assumed or text, is_shown=True)
    if doubtful:
        return NumberReading(mark=None, example=doubtful)
    return NumberReading(mark=DecimalMark.POINT, example=unusual, assumed=assumed)
