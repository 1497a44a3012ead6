"""Countries and languages in words, from the Unicode CLDR: `AR` is Argentina, `es-AR` Spanish (Argentina)."""

from __future__ import annotations

import re
from functools import cache

from babel import Locale, UnknownLocaleError

_CODE = re.compile(r"[A-Z]{2}")
# Codes of the CLDR that are no countries.
_NO_COUNTRIES = frozenset({"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"})


@cache
def get_countries() -> dict[str, str]:
    """Return the name of each country by its code of ISO 3166-1 (and `XK`), in the order of the names."""
    territories = Locale("en").territories
    codes = [str(code) for code in territories]
    named = {code: str(territories[code]) for code in codes if _CODE.fullmatch(code)}
    return {code: name for code, name in sorted(named.items(), key=lambda each: each[1]) if code not in _NO_COUNTRIES}


def name_country(code: str) -> str:
    """Return the name of a country; a text that is no code of a country, as it is."""
    return get_countries().get(code, code)


def find_country(text: str) -> str:
    """Return the code of a country by its code or name in any case; empty if there is none."""
    return _get_codes().get(text.strip().casefold(), "")


@cache
def _get_codes() -> dict[str, str]:
    countries = get_countries()
    return {name.casefold(): code for code, name in countries.items()} | {each.casefold(): each for each in countries}


@cache
def name_language(code: str) -> str:
    """Return the name of a language by its tag, such as `es-AR` or `de`; a text that is no tag, as it is."""
    try:
        locale = Locale.parse(code.replace("_", "-"), sep="-", resolve_likely_subtags=False)
    except (UnknownLocaleError, ValueError, TypeError):
        return code
    parts = (
        Locale("en").scripts.get(locale.script or ""),
        Locale("en").territories.get(locale.territory or ""),
    )
    language = Locale("en").languages.get(locale.language)
    if language is None:
        return code
    detail = ", ".join(filter(None, parts))
    return f"{language} ({detail})" if detail else str(language)
