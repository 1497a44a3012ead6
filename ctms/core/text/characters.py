"""What a text may consist of: characters that people can see, in one form. See docs/decisions/0060.

Harmless differences are put right without a word (`normalise_text`). What cannot be seen and changes what a text is, is
refused where somebody can be asked (`explain_unfit`), and left out where nobody can (`tidy_text`).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

_LINE_BREAKS = re.compile("\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")
_OTHER_LINE_BREAKS = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_SOFT_HYPHEN = "\xad"
# Widths that nobody sees: zero width space, word joiner, byte order mark, Mongolian vowel separator.
_NO_WIDTH = frozenset("\u200b\u2060\ufeff\u180e")
# Scripts such as Persian, and emojis, are spelled with them; between Latin letters they only hide.
_JOINERS = frozenset("\u200c\u200d")
_FIRST_JOINED = "\u0300"
# The other marks of direction; a long text of Arabic or Hebrew may need them, and the overrides turn a text around.
_DIRECTIONS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069")
_KEPT_IN_LINES = frozenset("\t\n\r")
_SHOWN_BEFORE = 20


def normalise_text(text: str, *, has_lines: bool) -> str:
    """Return the text in Unicode's composed form (NFC), with plain blanks and without soft hyphens.

    A text of one line has blanks in the place of tabs and line breaks; one of several loses what has no width, too.
    """
    if _is_plain(text, has_lines=has_lines):
        return text
    composed = unicodedata.normalize("NFC", text.replace(_SOFT_HYPHEN, ""))
    broken = _OTHER_LINE_BREAKS.sub("\n", composed) if has_lines else _LINE_BREAKS.sub(" ", composed).replace("\t", " ")
    blanks = "".join(" " if each != " " and unicodedata.category(each) == "Zs" else each for each in broken)
    if has_lines:
        seen = (
            each
            for position, each in enumerate(blanks)
            if each not in _NO_WIDTH and (each not in _JOINERS or _joins(blanks, position))
        )
        return unicodedata.normalize("NFC", "".join(seen))
    # Blanks at the ends that were none before.
    return blanks if blanks == composed else blanks.strip()


def explain_unfit(text: str, *, has_lines: bool) -> str:
    """Return which character of a normalised text cannot be kept, and where it is; empty if all can."""
    position = next(_list_unfit(text, has_lines=has_lines), None)
    if position is None:
        return ""
    before = text[:position].splitlines()[-1:]
    shown = before[0][-_SHOWN_BEFORE:].strip() if before else ""
    where = f"after “{shown}”" if shown else "at the beginning"
    return f"There is {_describe(text[position])} {where}. Delete it, or type that part again."


def tidy_text(text: str, *, has_lines: bool) -> str:
    """Return the normalised text without the characters that `explain_unfit` would name."""
    text = normalise_text(text, has_lines=has_lines)
    unfit = set(_list_unfit(text, has_lines=has_lines))
    if not unfit:
        return text
    return unicodedata.normalize("NFC", "".join(each for at, each in enumerate(text) if at not in unfit))


def _is_plain(text: str, *, has_lines: bool) -> bool:
    return text.isascii() and (text.isprintable() or (has_lines and _strip_lines(text).isprintable()))


def _strip_lines(text: str) -> str:
    return text.replace("\n", "").replace("\r", "").replace("\t", "")


def _list_unfit(text: str, *, has_lines: bool) -> Iterator[int]:
    if _is_plain(text, has_lines=has_lines):
        return
    for position, each in enumerate(text):
        if each.isprintable() or (has_lines and (each in _KEPT_IN_LINES or each in _DIRECTIONS)):
            continue
        if each in _JOINERS and _joins(text, position):
            continue
        # Cc: controls. Cf: invisible. Cs: half a character. Zl, Zp: line breaks, normalised before. What Unicode has
        # not assigned, or left to private use, may be visible with the right font.
        if unicodedata.category(each) in ("Cc", "Cf", "Cs"):
            yield position


def _joins(text: str, position: int) -> bool:
    """Whether a joiner stands between characters of which both may be spelled with it."""
    return 0 < position < len(text) - 1 and min(text[position - 1], text[position + 1]) >= _FIRST_JOINED


def _describe(character: str) -> str:
    code = f"U+{ord(character):04X}"
    category = unicodedata.category(character)
    if category == "Cc":
        return "a null character" if character == "\0" else f"a control character ({code})"
    if category == "Cs":
        return f"half a character ({code})"
    return f"an invisible character ({unicodedata.name(character, 'without a name').lower()}, {code})"
