"""Reads what was typed to find a record that is not there, into the fields of the form that creates it."""

from __future__ import annotations

import re
from collections.abc import Mapping

_EMAIL = re.compile(r"[<(]?([^\s<>()]+@[^\s<>()]+)[>)]?")


def read_person(typed: str) -> Mapping[str, str]:
    """Read a name, an e-mail address or both: `Zoë Berg (zoe@x.org)`; the last name may come first: `Berg, Zoë`.

    Of several words the first is the first name, because last names have several words more often.
    """
    found = _EMAIL.search(typed)
    name = _EMAIL.sub(" ", typed, count=1).strip() if found else typed
    last, comma, first = (part.strip() for part in name.partition(","))
    if not comma:
        first, _, last = name.partition(" ") if " " in name else ("", "", name)
    taken = {"first_name__sys": first.strip(), "last_name__sys": last.strip()}
    if found:
        taken["email__sys"] = found[1]
    return {field: text for field, text in taken.items() if text}


def read_study(typed: str) -> Mapping[str, str]:
    """Read a study number, which has no blank, or the name of a study."""
    return {"study_name__v" if " " in typed else "name__v": typed}


def read_site(typed: str) -> Mapping[str, str]:
    """Read a site number, which has a digit, the name of a site, or both: `0142 · Charité`."""
    number, _, name = typed.partition(" ")
    if not any(character.isdigit() for character in number):
        return {"site_name__v": typed}
    taken = {"name__v": number, "site_name__v": name.strip(" ·-–")}
    return {field: text for field, text in taken.items() if text}
