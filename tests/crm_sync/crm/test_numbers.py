"""Numbers are spelled in one way, so that a person's identifier and an account's are equal letter by letter or not."""

from __future__ import annotations

import pytest

from crm_sync.crm.numbers import is_spelled_number, spell_number


@pytest.mark.parametrize("text", ["0", "7", "-5", "1234567890", "12.5", "0.25", "9" * 15])
def test_numbers_as_accounts_spell_them(text: str) -> None:
    assert is_spelled_number(text)
    assert spell_number(float(text)) == text


@pytest.mark.parametrize("text", ["", "007", "-0", "1.50", "1.", ".5", "1e5", "9" * 16, "12 ", "١٢", "1,000", "A1"])
def test_what_no_account_spells_so_is_no_number(text: str) -> None:
    assert not is_spelled_number(text)


def test_a_number_too_large_to_be_exact_equals_no_identifier() -> None:
    # Both are the same floating-point number.
    assert spell_number(float("123456789012345678")) not in ("123456789012345678", "123456789012345680")
