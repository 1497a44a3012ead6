"""Numbers of studies and sites, as people tell them apart."""

from __future__ import annotations

import unicodedata

# Hyphens, dashes and the minus sign, which look alike in a number.
DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u2043\ufe58\ufe63\uff0d"
_TO_HYPHEN = str.maketrans(dict.fromkeys(DASHES, "-"))
LONGEST_KEY = 255


def build_number_key(number: str) -> str:
    """Return what two numbers share that differ only in case, kind of dash, blanks, invisible characters or width."""
    text = unicodedata.normalize("NFKC", number.translate(_TO_HYPHEN)).translate(_TO_HYPHEN)
    seen = (each for each in text if not each.isspace() and unicodedata.category(each) not in ("Cf", "Cc"))
    return unicodedata.normalize("NFKC", "".join(seen).casefold())[:LONGEST_KEY]
