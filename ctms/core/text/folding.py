"""Texts as people search for them: without accents, case, and what separates the digits of a number.

`fold_text` and the function `vault_fold` of the database give the same: see `ctms.core.text.operations`. PostgreSQL
finds a part of a folded text by an index of its trigrams.
"""

from __future__ import annotations

import re
import unicodedata

FUNCTION = "vault_fold"
# Letters that Unicode does not decompose, apostrophes and dashes as people type them.
LETTERS = dict(
    zip(
        "łøđħ\u0131ŧŋð\u03c2\u2019\u2018\u02bc`\u2010\u2011\u2012\u2013\u2014\u2212",
        "lodhitnd\u03c3" + 4 * "'" + 6 * "-",
        strict=True,
    )
)
PAIRS = {"ß": "ss", "æ": "ae", "œ": "oe", "þ": "th"}
# Accents, soft hyphens, and what has no width.
DROPPED = "[\u0300-\u036f\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
# What stands between the digits of a phone number or an identifier; the (0) in one; and the plus before it.
TRUNK, SEPARATORS, PLUS = r"([0-9]) *\(0\) *(?=[0-9])", r"([0-9])[ ./()-]+(?=[0-9])", r"\+(?=[0-9])"
# A shorter word is looked for where words begin: nearly every text has an "a", and the index knows no part so short.
_SHORTEST_ANYWHERE = 3
# What stands before a word inside of a text, for an expression that PostgreSQL, its index and Python understand alike.
_BETWEEN = re.escape(" \t\n.,;:!?@/|()[]{}<>'\"_+&#*=-")
BEGINNING = f"(^|[{_BETWEEN}])"
# Scripts that leave no blanks between words begin with this character.
_FIRST_UNSPACED = "\u2e80"
_DROPPED, _TRUNK, _SEPARATORS, _PLUS = (re.compile(each) for each in (DROPPED, TRUNK, SEPARATORS, PLUS))
_LETTERS = str.maketrans(LETTERS | PAIRS)


def fold_text(text: str | None) -> str | None:
    """Return a text as it is compared in searches: `Łukasz Müller` as `lukasz muller`, `+49 (0)30 123` as `4930123`."""
    if text is None:
        return None
    folded = text.lower() if text.isascii() else _fold_letters(text)
    if any(each.isdigit() for each in folded):
        folded = _PLUS.sub("", _SEPARATORS.sub(r"\1", _TRUNK.sub(r"\1", folded)))
    return folded.translate(_LETTERS)


def _fold_letters(text: str) -> str:
    # Character by character: in Greek, the lower case of a word's last letter is another.
    plain = _DROPPED.sub("", unicodedata.normalize("NFKD", text))
    return _DROPPED.sub("", "".join(each.lower() for each in plain)).translate(_LETTERS)


def is_short(word: str) -> bool:
    """Whether a folded word is so short that only words that begin with it are found, and not what holds it."""
    return 0 < len(word) < _SHORTEST_ANYWHERE and word[0].isalnum() and max(word) < _FIRST_UNSPACED


def find_folded(*, text: str, word: str) -> list[tuple[int, int]]:
    """Return where a folded word stands in a text, as (start, end); a short one only where words begin."""
    places = [(each, position) for position, letter in enumerate(text) for each in fold_text(letter) or ""]
    folded = "".join(each for each, _ in places)
    for pattern in (_TRUNK, _SEPARATORS, _PLUS):
        for match in reversed(list(pattern.finditer(folded))):
            kept = match.end(1) if pattern.groups else match.start()
            del places[kept : match.end()]
        folded = "".join(each for each, _ in places)
    beginning = f"(?<![^{_BETWEEN}])" if is_short(word) else ""
    return [
        (places[match.start()][1], places[match.end() - 1][1] + 1)
        for match in re.finditer(beginning + re.escape(word), folded)
        if match.end() > match.start()
    ]
