"""Identifiers that look alike and are not equal: they differ in case, blanks, invisible characters or Unicode form."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Format characters, such as a zero-width space, and controls, such as a tab.
_INVISIBLE = frozenset({"Cf", "Cc"})


def list_look_alikes(value: str) -> set[str]:
    """Return other spellings that people may have meant: without blanks and invisible characters, in another form."""
    plain = _drop_invisible(value).strip()
    forms = {unicodedata.normalize(form, text) for form in ("NFC", "NFD", "NFKC") for text in (value, plain)}
    return {text for text in {*forms, plain, "".join(plain.split())} if text} - {value}


def describe_look_alike(*, value: str, others: Iterable[str]) -> str:
    """Return a sentence naming one of the others that looks like the value, and how it differs; empty without one."""
    for other in others:
        if other != value and _fold(other) == _fold(value):
            return f" There is one with {other!r}, which differs in {_name_difference(value, other)}."
    return ""


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", _drop_invisible(text)).split()).casefold()


def _drop_invisible(text: str) -> str:
    return "".join(each for each in text if unicodedata.category(each) not in _INVISIBLE)


def _name_difference(value: str, other: str) -> str:
    def reduce(text: str, *, steps: int) -> str:
        if steps > 0:
            text = _drop_invisible(text)
        if steps > 1:
            text = unicodedata.normalize("NFKC", text)
        if steps > 2:  # noqa: PLR2004  the third step
            text = "".join(text.split())
        return text

    named = ((1, "invisible characters"), (2, "the form of its Unicode characters"), (3, "blanks"))
    for steps, name in named:
        if reduce(value, steps=steps) == reduce(other, steps=steps):
            return name
    return "case"
