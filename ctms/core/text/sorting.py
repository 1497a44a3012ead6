"""The order of texts in lists: as people look names up, with accents and case last, and numbers by their value.

PostgreSQL has it from ICU (the root order of CLDR, numeric) as the collation `vault_sort`, SQLite from `compare_texts`.
A PostgreSQL without ICU sorts by code points alone.
Texts that are equal in all of it are in the order of their code points, so that every order is total.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Any

COLLATION = "vault_sort"
ICU_LOCALE = "und-u-kn"
_PUNCTUATION = "_-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$"
_RANKS = {each: rank for rank, each in enumerate(_PUNCTUATION)}
_LIKE_PAIRS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ẞ": "SS", "Æ": "AE", "Œ": "OE"})
_STROKES = str.maketrans(
    {"ł": "l\u0335", "Ł": "L\u0335", "ø": "o\u0338", "Ø": "O\u0338", "đ": "d\u0335", "Đ": "D\u0335"}
)
_PIECES = re.compile(r"[0-9]+|.", re.DOTALL)


def compare_texts(first: str, second: str) -> int:
    """Return a number below, of or above zero, as `first` comes before, is, or comes after `second`."""
    if first == second:
        return 0
    return -1 if _build_key(first) < _build_key(second) else 1


# SQLite asks about two texts at a time: a row that finds its place in an index is compared with many of the last one's.
@lru_cache(maxsize=4096)
def _build_key(text: str) -> tuple[Any, ...]:
    decomposed = unicodedata.normalize("NFD", text.translate(_STROKES))
    letters: list[tuple[int, int, str]] = []
    accents: list[str] = []
    cases: list[int] = []
    for piece in _PIECES.findall(decomposed):
        if unicodedata.combining(piece[0]) and accents:
            accents[-1] += piece
            continue
        for each in [piece] if piece.isdigit() else piece.translate(_LIKE_PAIRS):
            letters.append(_rank(each))
            accents.append("" if each == piece else "\u0300")
            cases.append(each != each.lower())
    return letters, accents, cases, text


def _rank(piece: str) -> tuple[int, int, str]:
    if piece.isdigit():
        return (3, int(piece), "") if piece.isdecimal() else (3, 0, piece)
    if piece.isspace():
        return 0, 0, piece
    if piece in _RANKS:
        return 1, _RANKS[piece], ""
    return (4, 0, piece.lower()) if piece.isalpha() else (2, 0, piece)
