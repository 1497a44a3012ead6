"""What the migration makes of a PostgreSQL with and without ICU."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import NotSupportedError

from ctms.core.text.operations import _choose_letters


class Server:
    """Answers as a server of a version, with or without ICU, does; not all of them can be had here."""

    def __init__(self, *, version: int, has_icu: bool) -> None:
        self._answers = {"SELECT": has_icu, "SHOW": str(version * 10_000 + 3)}
        self._row: tuple[Any] = ("",)

    def execute(self, statement: str) -> None:
        self._row = (self._answers[statement.split(maxsplit=1)[0]],)

    def fetchone(self) -> tuple[Any]:
        return self._row


@pytest.mark.parametrize(
    ("version", "has_icu", "chosen"),
    [
        (14, True, ("und-x-icu", "provider = icu, locale = 'und-u-kn'")),
        (18, True, ("und-x-icu", "provider = icu, locale = 'und-u-kn'")),
        (17, False, ("pg_c_utf8", "provider = builtin, locale = 'C.UTF-8'")),
        (18, False, ("pg_unicode_fast", "provider = builtin, locale = 'PG_UNICODE_FAST'")),
        (19, False, ("pg_unicode_fast", "provider = builtin, locale = 'PG_UNICODE_FAST'")),
    ],
)
def test_without_icu_the_letters_are_those_that_postgresql_knows_itself(
    version: int, has_icu: bool, chosen: tuple[str, str]
) -> None:
    assert _choose_letters(Server(version=version, has_icu=has_icu)) == chosen


def test_a_server_that_knows_no_letters_is_refused_with_what_to_do() -> None:
    with pytest.raises(NotSupportedError, match=r"built without ICU.*or version 17 or later"):
        _choose_letters(Server(version=16, has_icu=False))
