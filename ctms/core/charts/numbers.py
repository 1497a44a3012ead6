"""Figures as numbers that can be measured and as people read them: 1,234.50 EUR."""

from __future__ import annotations

import math
from decimal import Decimal

MINUS = "\N{MINUS SIGN}"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"
# Beyond these powers of ten a figure is written as 1.500E+18.
_SMALLEST, _LARGEST = -6, 18
_PLACES = 2
_SHORT_SIZES = ((Decimal(10**9), "bn"), (Decimal(10**6), "M"))


def measure(value: Decimal | float | None) -> Decimal | None:
    """Return the number exactly as it is written, or None for what is no number (None, not-a-number, infinity)."""
    if value is None or not math.isfinite(value):
        return None
    return Decimal(repr(value)).normalize() if isinstance(value, float) else Decimal(value)


def format_number(number: Decimal) -> str:
    """Return the number with separators: at most two decimal places, or three digits of a number below one."""
    if number and not _SMALLEST <= number.adjusted() < _LARGEST:
        return f"{number:.3E}".replace("-", MINUS)
    exponent = number.as_tuple().exponent
    places = max(0, -exponent) if isinstance(exponent, int) else 0
    most = _PLACES if abs(number) >= 1 else _PLACES - number.adjusted()
    return f"{number:,.{min(places, most)}f}".replace("-", MINUS)


def format_figure(number: Decimal | None, *, unit: str) -> str:
    """Return the figure with its unit, such as "12%" or "3 days"; "–" for no figure."""
    if number is None:
        return "–"
    if unit in ("", "%"):
        return format_number(number) + unit
    return f"{format_number(number)}{NO_BREAK_SPACE}{unit}"


def format_label(number: Decimal, *, unit: str) -> str:
    """Return the figure as it stands beside a bar or an axis, where words of the unit would take too much room."""
    return format_figure(number, unit=unit if unit == "%" else "")


def format_tick(tick: Decimal, *, largest: Decimal, unit: str) -> str:
    """Return the label of a place on an axis that goes up to `largest`: "1,500", "2.5M", "20%"."""
    for size, suffix in _SHORT_SIZES:
        if tick and largest >= size:
            return format_label((tick / size).normalize(), unit="") + suffix + (unit if unit == "%" else "")
    return format_label(tick.normalize(), unit=unit)


def format_share(number: Decimal, *, total: Decimal) -> str:
    """Return the share in whole per cent; a small one is "<1%"."""
    share = number / total * 100
    return "<1%" if 0 < share < 1 else f"{share:.0f}%"
