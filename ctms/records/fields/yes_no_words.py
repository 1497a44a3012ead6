"""Words and signs for yes and no in the languages of the Vault's users, and as their spreadsheets write them."""

# ruff: noqa: RUF001  letters that resemble others are those of their language

from __future__ import annotations

# By language, without case: words, initials, and what Excel writes for TRUE and FALSE.
_YES = (
    "yes y true on 1 x ✓ ✔ ☑ ✅",
    "ja j wahr waar",  # German, Dutch, Nordic languages
    "oui o vrai",
    "sí si s verdadero vero",  # Spanish, Italian
    "sim verdadeiro",
    "tak t prawda",
    "ano áno pravda",  # Czech, Slovak
    "igen i igaz",
    "da adevărat",  # Romanian, South Slavic languages
    "evet doğru",
    "да истина ναι αληθής",
    "はい 有 ○ ◯ 是",
)
_NO = (
    "no n false off 0 ✗ ✘ ☐ ❌",
    "nein falsch nee onwaar nej nei",
    "non faux",
    "falso",
    "não nao",
    "nie fałsz",
    "ne nepravda",
    "nem hamis",
    "nu fals",
    "hayır hayir yanlış",
    "нет ложь όχι ψευδής",
    "いいえ 無 × 否",
)


def read_yes_no(text: str) -> bool | None:
    """Return what a word or sign means, in any case; None for any other text."""
    word = text.strip().casefold()
    return True if word in ALL_YES else False if word in ALL_NO else None


ALL_YES = frozenset(word.casefold() for words in _YES for word in words.split())
ALL_NO = frozenset(word.casefold() for words in _NO for word in words.split())
