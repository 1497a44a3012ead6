"""Axes that begin at zero and are divided by round numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

_PARTS = 5
_STEPS = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))
_TEN = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """An axis by its ticks: from the lowest to the highest, at equal distances, with zero among them."""

    ticks: tuple[Decimal, ...]

    def find_share(self, number: Decimal) -> float:
        """Return where the number is between the first tick (0.0) and the last one (1.0)."""
        low, high = self.ticks[0], self.ticks[-1]
        return float((number - low) / (high - low))

    @property
    def largest(self) -> Decimal:
        return max(-self.ticks[0], self.ticks[-1])


def build_scale(numbers: Iterable[Decimal]) -> Scale:
    """Return an axis of two to eight ticks that holds zero and all numbers; whole numbers have whole ticks."""
    known = [Decimal(0), *numbers]
    low, high = min(known), max(known)
    whole = all(each == each.to_integral_value() for each in known)
    step = _choose_step(span=(high - low) or Decimal(1), whole=whole)
    first, last = math.floor(low / step), max(math.ceil(high / step), math.floor(low / step) + 1)
    return Scale(ticks=tuple(place * step for place in range(first, last + 1)))


def _choose_step(*, span: Decimal, whole: bool) -> Decimal:
    least = span / _PARTS
    magnitude = Decimal(1).scaleb(least.adjusted())
    steps = (each * magnitude for each in _STEPS if each * magnitude >= least)
    if not whole:
        return next(steps)
    return next(
        each for each in (*steps, _TEN * magnitude, Decimal(1)) if each >= 1 and each == each.to_integral_value()
    )
