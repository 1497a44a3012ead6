"""Usernames that people can tell apart: no invisible characters, and no two that differ in nothing that is seen."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from django.core.exceptions import ValidationError
from django.db import connection

from ctms.core.text.characters import explain_unfit, normalise_text, tidy_text

# The number of the lock that is held from looking at the usernames until a new one is written.
_LOCK = 4_067_101


def clean_username(username: str) -> str:
    """Return a username in Unicode's composed form. Raises ValidationError naming a character that nobody sees."""
    text = normalise_text(username, has_lines=False)
    if problem := explain_unfit(text, has_lines=False):
        raise ValidationError({"username": problem})
    return text


def build_username_key(username: str) -> str:
    """Return what two usernames are compared by: no case, no widths, no invisible characters."""
    return unicodedata.normalize("NFKC", tidy_text(username, has_lines=False)).casefold().strip()


def require_distinct(*, usernames: Iterable[str], taken: Iterable[str]) -> None:
    """Raise ValidationError if a username differs from one that is taken, or from another new one, in nothing seen."""
    seen = {build_username_key(each): each for each in taken}
    for each in usernames:
        other = seen.setdefault(build_username_key(each), each)
        if other is not each:
            raise ValidationError(
                {
                    "username": f"The username {other} is there already; {each} could not be told from it. Choose "
                    "another."
                }
            )


def hold_usernames() -> None:
    """Let nobody else choose a username before the transaction ends. SQLite has one writer at a time."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
