"""Numbers of studies and sites that people cannot tell apart."""

from __future__ import annotations

import pytest

from ctms.core.text.numbers import build_number_key


@pytest.mark.parametrize(
    "other",
    [
        "onc-01",
        "ONC–01",
        "ONC\u201101",
        "ONC\u221201",
        " ONC - 01",
        "ONC\u200b-01",
        "ONC\xad-01",
        "\uff2f\uff2e\uff23\uff0d\uff10\uff11",
    ],
)
def test_case_dashes_blanks_and_invisible_characters_make_no_other_number(other: str) -> None:
    assert build_number_key(other) == build_number_key("ONC-01")


@pytest.mark.parametrize("other", ["ONC01", "ONC-1", "ÖNC-01", "ONC_01"])
def test_all_else_makes_another_number(other: str) -> None:
    assert build_number_key(other) != build_number_key("ONC-01")
