"""How much room texts take, and which of them are shown where there is little of it.

A chart is as wide as its place, which only the stylesheet knows. A label therefore says by a class from which width
on it is shown: `chart-from-560`.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable

# Pixels. The classes of `charts.css` have the same figures.
WIDTHS = (280, 420, 560, 720, 900)
MARGINS = (8, 24, 40, 56, 72, 96, 136)

_GAP = 8
_NARROW, _USUAL, _BROAD, _FULL = 4.0, 6.8, 9.2, 12.0
_NARROW_LETTERS = frozenset("iljftrI.,:;'|!()[]{}- ")
_BROAD_LETTERS = frozenset("mw@%&—")
_ELLIPSIS = "…"


def estimate_width(text: str) -> float:
    """Return about how many pixels a text of 12 px takes, rather too many than too few."""
    return sum(_estimate_letter(letter) for letter in text)


def _estimate_letter(letter: str) -> float:
    if unicodedata.combining(letter):
        return 0.0
    if letter in _NARROW_LETTERS:
        return _NARROW
    if unicodedata.east_asian_width(letter) in ("W", "F"):
        return _FULL
    return _BROAD if letter in _BROAD_LETTERS or letter.isupper() else _USUAL


def find_widest(texts: Iterable[str]) -> float:
    return max(map(estimate_width, texts), default=0.0)


def shorten_text(text: str, *, width: float) -> str:
    """Return the text, or its beginning and "…" where it takes more than `width` pixels."""
    if estimate_width(text) <= width:
        return text
    room, kept = width - _FULL, ""
    for letter in text:
        room -= _estimate_letter(letter)
        if room < 0:
            break
        kept += letter
    return kept.rstrip() + _ELLIPSIS


def choose_margin(width: float) -> int:
    """Return the least margin for a text of this width beside the plot."""
    return next((each for each in MARGINS if each >= width + _GAP), MARGINS[-1])


def find_class(*, count: int, width: float, margins: int) -> str | None:
    """Return the class of `count` labels that are shown together or not at all; None where they never have room."""
    needed = count * (width + _GAP) + margins
    return next((_name_class(each) for each in WIDTHS if each >= needed), None)


def find_thinned_classes(*, count: int, width: float, margins: int) -> list[str | None]:
    """Return the class of each of `count` labels in a row, of which every second, fourth, … is shown in less room.

    Those of a narrow chart are shown in each wider one, too. None is never shown.
    """
    return [
        next((_name_class(each) for each in WIDTHS if place % _find_step(count, width, each - margins) == 0), None)
        for place in range(count)
    ]


def _find_step(count: int, width: float, room: float) -> int:
    return int(2 ** math.ceil(math.log2(max(1.0, count * (width + _GAP) / room))))


def _name_class(width: int) -> str:
    return "" if width == WIDTHS[0] else f"chart-from-{width}"
