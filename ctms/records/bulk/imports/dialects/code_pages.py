"""Recognises the encoding of a text file that is not Unicode, from the letters of the languages written in it.

A list of names has too few letters for detectors that expect prose; but a wrong code page shows itself by signs within
words (`³` for `ł`), capitals after small letters, and letters that no single language has together.
"""

# ruff: noqa: RUF001  letters and signs that resemble others are what this is about

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# How much of a file is looked at, in bytes: those around the first letters that are not ASCII.
_MOST_BYTES = 200_000
_WESTERN = (
    "äöüß",  # German
    "àâæçéèêëîïôœùûüÿ",  # French
    "áéíñóúü",  # Spanish
    "àáâãçéêíóôõú",  # Portuguese
    "àèéìíîòóùú",  # Italian, Catalan
    "åäöæøéü",  # Nordic languages
    "éëïóöüáèê",  # Dutch
    "áéíóúýþæöð",  # Icelandic
)
_CENTRAL = (
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # South Slavic languages
    "ăâîşţ",  # Romanian
    "äöüß",  # German
)
_BALTIC = ("āčēģīķļņšūž", "ąčęėįšųūž", "äöõüšž")
_CYRILLIC = (
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",
    "абвгдђежзијклљмнњопрстћуфхцчџш",
)
_GREEK = ("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ",)
# Signs that texts have beside letters; any other is a fault.
_SIGNS = frozenset("’‘´“”„«»‹›–—…€£¥§©®™°±²³µ·•¿¡ªº½¼¾×\u00a0")
_EAST_ASIAN = (  # beginnings of names of signs
    *("CJK", "HIRAGANA", "KATAKANA", "FULLWIDTH", "HALFWIDTH KATAKANA"),
    *("IDEOGRAPHIC", "CIRCLED", "ROMAN", "SQUARE"),
)
# After these only some letters are written.
_FOLLOWERS = {"ñ": "aeiouáéíóúü", "õ": "e", "ã": "oes"}
_WRONG, _FAINT = 3.0, 0.1
_MOST_FAULTS = 1.0  # for each byte that is not ASCII; what has more is no text
_OFF_LANGUAGE = 0.4  # for a letter that the language of most others does not have


@dataclass(frozen=True, kw_only=True)
class CodePage:
    """An encoding by its Python name, with the letters of the languages that are written in it."""

    name: str
    label: str
    languages: tuple[str, ...] = ()
    rarity: float = 0.5  # how many faults another code page may have more
    is_latin: bool = True
    is_east_asian: bool = False

    @cached_property
    def letters(self) -> tuple[frozenset[str], ...]:
        """Return the letters of each language, small and capital."""
        return tuple(frozenset(each) | frozenset(each.upper()) for each in self.languages)


# The more usual first: of equally good ones the first is taken.
_ALL = (
    CodePage(name="cp1252", label="Windows-1252 (Western European)", languages=_WESTERN, rarity=0),
    CodePage(name="cp1250", label="Windows-1250 (Central European)", languages=_CENTRAL, rarity=0.3),
    CodePage(name="iso8859_2", label="ISO 8859-2 (Central European)", languages=_CENTRAL),
    CodePage(name="mac_roman", label="Mac Roman (Western European)", languages=_WESTERN),
    CodePage(name="mac_latin2", label="Mac Central European", languages=_CENTRAL),
    CodePage(name="cp850", label="DOS 850 (Western European)", languages=_WESTERN, rarity=1),
    CodePage(name="cp852", label="DOS 852 (Central European)", languages=_CENTRAL, rarity=1),
    CodePage(name="cp1254", label="Windows-1254 (Turkish)", languages=("çğıöşüiâî",), rarity=0.2),
    CodePage(name="cp1257", label="Windows-1257 (Baltic)", languages=_BALTIC, rarity=0.2),
    CodePage(name="cp1253", label="Windows-1253 (Greek)", languages=_GREEK, is_latin=False),
    CodePage(name="iso8859_7", label="ISO 8859-7 (Greek)", languages=_GREEK, is_latin=False),
    CodePage(name="cp1251", label="Windows-1251 (Cyrillic)", languages=_CYRILLIC, is_latin=False),
    CodePage(name="koi8_r", label="KOI8-R (Cyrillic)", languages=_CYRILLIC, is_latin=False),
    CodePage(name="cp932", label="Shift-JIS (Japanese)", is_east_asian=True),
    CodePage(name="euc_jp", label="EUC-JP (Japanese)", is_east_asian=True),
)
CODE_PAGES: Mapping[str, CodePage] = {each.name: each for each in _ALL}


def find_code_page(content: bytes) -> CodePage | None:
    """Return the code page in which the content is most probably text; None if it is none in any of them."""
    best: CodePage | None = None
    least = _MOST_FAULTS * sum(byte > 127 for byte in content[:_MOST_BYTES])  # noqa: PLR2004  ASCII
    for page in _ALL:
        try:
            text = content.decode(page.name)
        except UnicodeDecodeError:
            continue
        faults = _count_faults(text=_cut(text), page=page)
        if faults < least:
            best, least = page, faults
    return best


def find_sample(text: str) -> str:
    """Return the first words of a text that are not plain ASCII, which show whether it was read rightly."""
    words: list[str] = []
    for line in text.splitlines():
        if line.isascii():
            continue
        for word in line.replace(";", " ").replace(",", " ").replace("\t", " ").split():
            if not word.isascii() and word not in words:
                words.append(word.strip("\"'"))
        if len(words) >= 3:  # noqa: PLR2004  enough to recognise an encoding
            break
    return ", ".join(words[:3])


def _cut(text: str) -> str:
    first = next((position for position, sign in enumerate(text) if not sign.isascii()), 0)
    return text[max(first - 1, 0) : first + _MOST_BYTES]


def _count_faults(*, text: str, page: CodePage) -> float:
    """Return how improbable the text is: the weight of wrong signs, and of letters that no one language has."""
    weight, letters = page.rarity, 0
    known = dict.fromkeys(page.letters, 0)
    for position, sign in enumerate(text):
        if sign.isascii():
            continue
        before, after = text[position - 1 : position] or " ", text[position + 1 : position + 2] or " "
        if page.is_east_asian:
            weight += _weigh_east_asian(sign, before=before, after=after)
        elif sign in _SIGNS or not sign.isalpha():
            weight += _weigh_sign(sign, before=before, after=after)
        else:
            letters += 1
            weight += _weigh_letter(sign, before=before, after=after, page=page)
            for each in known:
                known[each] += sign in each
    return weight + _OFF_LANGUAGE * (letters - max(known.values(), default=letters))


def _weigh_letter(sign: str, *, before: str, after: str, page: CodePage) -> float:
    is_inside_capitals = sign.islower() and before.isupper() and after.isupper()
    if is_inside_capitals or (sign.isupper() and before.islower()):
        return _WRONG
    if not page.is_latin and any(each.isascii() and each.isalpha() for each in (before, after)):
        return _WRONG  # no word has letters of two scripts
    followers = _FOLLOWERS.get(sign.lower())
    return _WRONG if followers and after.isalpha() and after.lower() not in followers else 0


def _weigh_sign(sign: str, *, before: str, after: str) -> float:
    if sign not in _SIGNS or unicodedata.category(sign) in ("Cc", "Co", "Cn"):
        return _WRONG
    # An apostrophe stands within words, an opening mark before them; other signs stand beside words.
    if sign in "’‘´" or not (before.isalpha() or (after.isalpha() and sign not in "“„«‹¿¡°µ")) or sign in "”»›…ªº®™":
        return _FAINT
    return _WRONG


def _weigh_east_asian(sign: str, *, before: str, after: str) -> float:
    if not unicodedata.name(sign, "").startswith(_EAST_ASIAN):
        return _WRONG
    # Two bytes of a Western word often make one such sign, next to the plain letters of the word.
    is_among_letters = any(each.isascii() and each.isalpha() for each in (before, after))
    return _WRONG if is_among_letters else _FAINT * (unicodedata.east_asian_width(sign) == "H")
