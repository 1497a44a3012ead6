"""Decides how a column of a file writes its dates. Nothing here knows about records.

Numbers between slashes or hyphens, such as `03/04/2026`, have two meanings: `find_reading` decides for a whole column,
and never for a cell alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ctms.core.errors import VaultError
from ctms.core.text.dates import DateOrder, NumericDate, has_short_year, read_certain, read_numeric

_MOST_EXAMPLES = 3


class MixedDatesError(VaultError):
    """No single reading fits the dates of a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DateReading:
    """How the numeric dates of a column are read; without `examples`, it has none."""

    order: DateOrder | None
    examples: tuple[NumericDate, ...]
    has_short_years: bool = False

    @property
    def is_open(self) -> bool:
        """Whether somebody has to say the order."""
        return bool(self.examples) and self.order is None


def find_reading(*, label: str, cells: Iterable[tuple[int, str]]) -> DateReading:
    """Decide how to read the numeric dates of a column. `cells` are lines and texts.

    The order is that which every cell allows. Where both are possible, it is left to be asked for. Raises
    MixedDatesError if none fits all, or if dates that could be read either way stand among dates written differently:
    those come from another hand or program, which says nothing about these.
    """
    column = _Column()
    for line, text in cells:
        column.add(line=line, text=text)
    by_order = column.find_witnesses()
    if len(by_order) == len(DateOrder):
        found = [by_order[order] for order in DateOrder]
        raise MixedDatesError(
            f"{label}: {_name(found[0])} has the day first, {_name(found[1])} the month. Write all dates of the column "
            "in one way, best as 2026-03-31."
        )
    if column.ambiguous and column.certain:
        named = ", ".join(_name(each) for each in sorted([*column.ambiguous[:1], *by_order.values(), column.certain]))
        raise MixedDatesError(
            f"{label} mixes ways of writing dates, so nobody can tell what {column.ambiguous[0][1]} means: {named}. "
            "Write all dates of the column in one way, best as 2026-03-31."
        )
    order = next(iter(by_order), None)
    if order is None and column.numeric and not column.ambiguous:
        order = DateOrder.DAY_FIRST  # either order leads to the same days
    witnesses = [by_order[order]] if order in by_order else column.ambiguous or column.numeric
    examples = [numeric for _, text in witnesses[:_MOST_EXAMPLES] if (numeric := read_numeric(text)) is not None]
    return DateReading(order=order, examples=tuple(examples), has_short_years=column.has_short_years)


class _Column:
    """The dates of a column, with the lines on which they stand; each text once."""

    def __init__(self) -> None:
        self.numeric: list[tuple[int, str]] = []
        self.ambiguous: list[tuple[int, str]] = []
        self.certain: tuple[int, str] | None = None  # one that is written in another way
        self.has_short_years = False
        self._seen: set[str] = set()

    def add(self, *, line: int, text: str) -> None:
        if not text or text in self._seen:
            return
        self._seen.add(text)
        numeric = read_numeric(text)
        if numeric is None:
            if read_certain(text) is None:
                return
            self.certain = self.certain or (line, text)
        elif numeric.list_orders():
            self.numeric.append((line, text))
            if numeric.is_ambiguous:
                self.ambiguous.append((line, text))
        self.has_short_years |= has_short_year(text)

    def find_witnesses(self) -> dict[DateOrder, tuple[int, str]]:
        """Return the first cell that allows one order alone, for each order that has one."""
        found: dict[DateOrder, tuple[int, str]] = {}
        for line, text in self.numeric:
            numeric = read_numeric(text)
            orders = numeric.list_orders() if numeric else []
            if len(orders) == 1:
                found.setdefault(orders[0], (line, text))
        return found


def _name(cell: tuple[int, str]) -> str:
    return f"{cell[1]} (line {cell[0]})"
