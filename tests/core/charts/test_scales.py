"""Axes: round steps, zero among them, every number within."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctms.core.charts.scales import build_scale

NUMBERS = st.decimals(min_value=-(10**15), max_value=10**15, places=4)


@pytest.mark.parametrize(
    ("numbers", "ticks"),
    [
        ([7], [0, 2, 4, 6, 8]),
        ([1], [0, 1]),
        ([12], [0, 5, 10, 15]),
        ([1_480], [0, 500, 1_000, 1_500]),
        ([-18, 12], [-20, -10, 0, 10, 20]),
        ([-3], [-3, -2, -1, 0]),
        (["0.37"], [0, "0.1", "0.2", "0.3", "0.4"]),
        ([], [0, 1]),
    ],
)
def test_ticks_are_round_and_whole_for_whole_numbers(numbers: list[int | str], ticks: list[int | str]) -> None:
    assert list(build_scale(map(Decimal, numbers)).ticks) == list(map(Decimal, ticks))


@given(st.lists(NUMBERS, max_size=20))
@example([Decimal("1e-300")])
@example([Decimal("-1e300"), Decimal("1e300")])
def test_an_axis_holds_zero_and_every_number_in_a_few_equal_round_steps(numbers: list[Decimal]) -> None:
    scale = build_scale(numbers)
    (step,) = {after - before for before, after in zip(scale.ticks, scale.ticks[1:], strict=False)}
    assert 0 in scale.ticks
    assert 2 <= len(scale.ticks) <= 8
    assert step.normalize().as_tuple().digits in ((1,), (2,), (5,), (2, 5))
    assert all(0 <= scale.find_share(number) <= 1 for number in numbers)


@given(st.lists(st.integers(min_value=0, max_value=10**9), min_size=2))
def test_a_larger_number_is_further_up(numbers: list[int]) -> None:
    scale = build_scale(map(Decimal, numbers))
    shares = [scale.find_share(Decimal(number)) for number in sorted(numbers)]
    assert shares == sorted(shares)
