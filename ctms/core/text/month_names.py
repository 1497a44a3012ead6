"""Names of months in the languages of the Vault's users, as spreadsheets write them."""

from __future__ import annotations

import unicodedata

# A line for each month: names, also as they stand after a number, and abbreviations. Accents and case do not matter.
_GERMANIC_AND_ROMANCE = (
    "january jan januar jänner jän janvier janv enero ene gennaio gen janeiro januari",
    "february feb februar feber février févr fév fevr febrero febbraio fevereiro fev februari",
    "march mar märz mär mrz maerz mars marzo março maart mrt marts",
    "april apr avril avr abril abr aprile",
    "may mai mayo maggio mag maio mei maj",
    "june jun juni juin junio giugno giu junho",
    "july jul juli juillet juil julio luglio lug julho",
    "august aug août aoû agosto ago augustus augusti",
    "september sep sept septembre septiembre setiembre settembre set setembro",
    "october oct oktober okt octobre octubre ottobre ott outubro out",
    "november nov novembre noviembre novembro",
    "december dec dezember dez décembre déc diciembre dic dicembre dezembro desember des",
)
_POLISH_AND_CZECH = (
    "styczeń stycznia sty leden ledna",
    "luty lutego lut únor února",
    "marzec marca březen března",
    "kwiecień kwietnia kwi duben dubna",
    "maja květen května",
    "czerwiec czerwca cze červen června",
    "lipiec lipca lip červenec července",
    "sierpień sierpnia sie srpen srpna",
    "wrzesień września wrz září",
    "październik października paź říjen října",
    "listopad listopada lis listopadu",
    "grudzień grudnia gru prosinec prosince",
)


def find_month(name: str) -> int | None:
    """Return the number of a month by its name, such as `Mar`, `mars` or `März`."""
    return _MONTHS.get(_fold(name))


def _fold(text: str) -> str:
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign)).strip(".")


_MONTHS = {
    _fold(name): number
    for table in (_GERMANIC_AND_ROMANCE, _POLISH_AND_CZECH)
    for number, names in enumerate(table, start=1)
    for name in names.split()
}
