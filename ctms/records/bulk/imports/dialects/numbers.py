"""Reads numbers as people and spreadsheets write them. Nothing here knows about records.

`1,5` and `1.234,5` have a comma before the fraction, `1.5` and `1,234.5` a point; `1.234` can be either. As with dates,
`find_number_reading` decides for a whole column.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from ctms.core.errors import VaultError

_BLANKS = "'\u2019 \u00a0\u202f"  # between thousands, beside point and comma
_SHAPE = re.compile(
    rf"(?P<sign>[+\-\u2212]?)(?P<whole>\d+|\d{{1,3}}(?:[.,{_BLANKS}]\d{{3}})+)(?:(?P<mark>[.,])(?P<part>\d+))?$"
)
_THOUSANDS = 3  # digits


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
    """How the numbers of a column are read; `example` is one that can be mistaken, or shows the mark; else empty."""

    mark: DecimalMark | None
    example: str = ""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to say the mark."""
        return self.mark is None


def read_number(text: str, *, mark: DecimalMark) -> str | None:
    """Return a number without marks of thousands and with a point; None if it is none in this way of writing."""
    found = _SHAPE.match(text)
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
    sign = "-" if found["sign"] in ("-", "\u2212") else ""
    return f"{sign}{digits}.{part}" if part else f"{sign}{digits}"


def find_number_reading(*, label: str, cells: Iterable[tuple[int, str]], point_is_usual: bool) -> NumberReading:
    """Decide what stands before the fraction in a column. `cells` are lines and texts.

    Where both are possible, it is left to be asked for; but `1.234` has a fraction if a point is usual in such a file.
    Raises MixedNumbersError if some cells allow only a point and others only a comma.
    """
    witnesses: dict[DecimalMark, tuple[int, str]] = {}
    doubtful = ""
    for line, text in cells:
        readings = {mark: number for mark in DecimalMark if (number := read_number(text, mark=mark)) is not None}
        if len(readings) == 1:
            witnesses.setdefault(next(iter(readings)), (line, text))
        elif len(set(readings.values())) > 1 and not (point_is_usual and "." in text):
            doubtful = doubtful or text
    if len(witnesses) > 1:
        (line, point), (other, comma) = (witnesses[mark] for mark in DecimalMark)
        raise MixedNumbersError(
            f"{label}: {point} (line {line}) has a point before the fraction, {comma} (line {other}) a comma. Write "
            "all numbers of the column in one way, best as 1234.5."
        )
    if witnesses:
        mark, (_, text) = next(iter(witnesses.items()))
        return NumberReading(mark=mark, example=doubtful or text)
    if doubtful:
        return NumberReading(mark=None, example=doubtful)
    return NumberReading(mark=DecimalMark.POINT)
