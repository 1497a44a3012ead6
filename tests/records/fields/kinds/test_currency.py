"""Money: an amount with its currency."""

from __future__ import annotations

from decimal import Decimal

import pytest

from ctms.records.fields.kinds.currency import Money, read_money
from tests.records.fields.kinds.doors import NAME, EveryDoor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


class TestCurrency(EveryDoor):
    kind = "currency"
    typed = {"": "1234.5", "__currency": "EUR"}
    text = "1234.5 EUR"
    stored = {"amount": "1234.50", "currency": "EUR"}
    shown = "1,234.50 EUR"
    json = {"amount": "1234.50", "currency": "EUR"}
    cell = "1,234.50 EUR"
    sent = 1234.5
    other_text = "JPY 99,000"
    other_stored = {"amount": "99000", "currency": "JPY"}
    other_shown = "99,000 JPY"
    wrong_text = "12.3456 EUR"
    problem = "EUR has 2 digits after the point. Round the amount."
    wrong_json = {"amount": "1", "currency": "EURO"}
    filters = {
        f"{NAME}=1234.5": (True, False),
        f"{NAME}=1234.5+EUR": (True, False),
        f"{NAME}=1234.5+USD": (False, False),
        f"{NAME}__from=1000": (True, True),
        f"{NAME}__from=1000+JPY": (False, True),
        f"{NAME}__to=2000": (True, False),
        f"{NAME}__from=1+EUR&{NAME}__to=2000+EUR": (True, False),
    }


@pytest.mark.parametrize(
    ("text", "amount", "code"),
    [
        ("12 EUR", "12", "EUR"),
        ("eur 12.5", "12.5", "EUR"),
        ("-1,234,567.89 USD", "-1234567.89", "USD"),
        ("1 234.5 CHF", "1234.5", "CHF"),
        ("1.234 KWD", "1.234", "KWD"),
        ("0 JPY", "0", "JPY"),
    ],
)
def test_amounts_are_read_as_people_write_them(text: str, amount: str, code: str) -> None:
    assert read_money(text) == Money(amount=Decimal(amount), currency=code)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("12", "The currency is missing."),
        ("12,5 EUR", "This is no amount with a currency."),
        ("1.234,50 EUR", "This is no amount with a currency."),
        ("EUR 12 USD", "This is no amount with a currency."),
        ("twelve EUR", "This is no amount with a currency."),
        ("12 EUX", "EUX is no currency of ISO 4217."),
        ("12.5 JPY", "JPY has no digits after the point."),
        ("100000000000 EUR", "Enter an amount of at most 11 digits before the point."),
    ],
)
def test_anything_else_is_refused_with_the_remedy(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        read_money(text)
