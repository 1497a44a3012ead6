"""Figures as people read them."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest

from ctms.core.charts.numbers import format_figure, format_share, format_tick, measure


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (1_234_567, "", "1,234,567"),
        (-5, "%", "\N{MINUS SIGN}5%"),
        (3, "days", "3\N{NO-BREAK SPACE}days"),
        (Decimal("12.50"), "EUR", "12.50\N{NO-BREAK SPACE}EUR"),
        (Decimal("3.3333333333"), "", "3.33"),
        (0.1 + 0.2, "", "0.300"),
        (12.0, "", "12"),
        (100.0, "", "100"),
        (0.00123, "", "0.00123"),
        (10**40, "", "1.000E+40"),
        (None, "days", "–"),
        (math.nan, "", "–"),
        (math.inf, "", "–"),
        (Decimal("NaN"), "", "–"),
    ],
)
def test_a_figure_has_separators_few_places_and_its_unit(value: Decimal | float | None, unit: str, text: str) -> None:
    assert format_figure(measure(value), unit=unit) == text


def test_ticks_are_short() -> None:
    ticks = [Decimal(0), Decimal("2.5E+5"), Decimal(1_500_000)]
    assert [format_tick(tick, largest=ticks[-1], unit="EUR") for tick in ticks] == ["0", "0.25M", "1.5M"]
    assert format_tick(Decimal(1_500), largest=Decimal(2_000), unit="") == "1,500"
    assert format_tick(Decimal("2E+1"), largest=Decimal(20), unit="%") == "20%"


def test_a_small_share_is_not_none() -> None:
    assert format_share(Decimal(1), total=Decimal(1_000)) == "<1%"
    assert format_share(Decimal(2), total=Decimal(3)) == "67%"
