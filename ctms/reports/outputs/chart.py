"""The chart of a report: its first group makes the categories, the second one, or what goes across, the series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from ctms.core.charts import Chart, ChartKind, Series
from ctms.records.fields.kinds.base import Aggregate, kind_of
from ctms.reports.engine.charts import Cells, read_categories, read_cells, read_series
from ctms.reports.engine.groups import GroupBy, GroupValue
from ctms.reports.engine.iterating import list_currencies
from ctms.reports.engine.limits import limit_time
from ctms.reports.engine.measures import Figure, Measure
from ctms.reports.engine.opening import OpenReport
from ctms.reports.engine.summaries import GroupLine, read_total
from ctms.reports.outputs.periods import fill_periods

MOST_CATEGORIES, MOST_SERIES = 60, 12
_OTHERS = "Others"
_NUMBERS = (int, float, Decimal)

# Returns the address of the rows behind a figure, which is named by the identities of its groups; None is any group.
FindRows = Callable[[Sequence[str | None]], str]


def build_chart(opened: OpenReport, *, title: str, find_rows: FindRows | None = None) -> Chart | None:
    """Return the chart that is stored with the report; None if it has none, or nothing that can be drawn.

    Each figure links to the rows behind it. The title says what the chart leaves out. Raises InvalidReportError and
    ReportTooSlowError.
    """
    kind, measure = _read_stored(opened)
    if kind is None or measure is None:
        return None
    opened.require_valid()
    with limit_time():
        return _Drawing(opened=opened, kind=kind, measure=measure, title=title, find_rows=find_rows).draw()


def _read_stored(opened: OpenReport) -> tuple[ChartKind | None, int | None]:
    stored = opened.definition.chart
    kind = next((each for each in ChartKind if each == stored.get("kind")), None)
    measure = stored.get("measure", 0)
    if not opened.is_grouped or not isinstance(measure, int) or not 0 <= measure < len(opened.measures):
        return None, None
    return (kind, measure) if _is_number(opened.measures[measure]) else (None, None)


def _is_number(measure: Measure) -> bool:
    is_counted = measure.column is None or measure.function in (Aggregate.COUNT, Aggregate.DISTINCT)
    return is_counted or measure.is_money or (measure.column is not None and kind_of(measure.column.field).is_number)


@dataclass(slots=True, kw_only=True)
class _Drawing:
    """What is drawn, and what the title says of it."""

    opened: OpenReport
    kind: ChartKind
    measure: int
    title: str
    find_rows: FindRows | None

    @property
    def figure(self) -> Measure:
        return self.opened.measures[self.measure]

    @property
    def second(self) -> GroupBy | None:
        """Return what makes the series. A donut has one series, of the first group."""
        if self.kind is ChartKind.DONUT:
            return None
        return self.opened.across or next(iter(self.opened.groups[1:]), None)

    @property
    def adds_up(self) -> bool:
        """Whether figures of groups make that of all together; a group without rows has none then, 0."""
        return self.figure.can_be_summed or (self.figure.is_money and self.figure.function == Aggregate.SUM)

    def draw(self) -> Chart | None:
        codes = list_currencies(read_total(self.opened)).get(self.measure, []) if self.figure.is_money else [""]
        if not codes:
            return None
        one_by_one = self.second is None and self.kind is not ChartKind.DONUT
        shown = codes[:MOST_SERIES] if one_by_one else codes[:1]
        notes = [] if len(shown) == len(codes) else [f"{', '.join(shown)} only"]
        currencies = {self.measure: shown} if self.figure.is_money else None
        lines = read_categories(self.opened, currencies=currencies, most=MOST_CATEGORIES)
        is_cut, lines = len(lines) > MOST_CATEGORIES, lines[:MOST_CATEGORIES]
        if is_cut:
            notes.append(f"first {MOST_CATEGORIES} of {self.opened.groups[0].label}")
        else:
            lines = fill_periods(lines, group=self.opened.groups[0], most=MOST_CATEGORIES)
        series = (
            [self._draw_one(lines, code=code) for code in shown]
            if self.second is None
            else self._draw_series(lines, is_cut=is_cut, currencies=currencies, code=shown[0], notes=notes)
        )
        can_stack = self.adds_up and (self.second is not None or len(shown) == 1)
        return Chart(
            kind=ChartKind.BAR if self.kind is ChartKind.STACKED and not can_stack else self.kind,
            title=f"{self.title} ({'; '.join(notes)})" if notes else self.title,
            categories=tuple(each.values[0].text for each in lines),
            series=tuple(series),
            unit=shown[0] if len(shown) == 1 else "",
            value_label=self.figure.label,
            ordered=bool(self.opened.groups[0].period),
        )

    def _draw_one(self, lines: Sequence[GroupLine], *, code: str) -> Series:
        several = self.figure.is_money and bool(code)
        return Series(
            label=f"{self.figure.label} ({code})" if several else self.figure.label,
            values=tuple(self._read(next(iter(each.figures[self.measure :]), None), code=code) for each in lines),
            links=self._link([(each.values[0], None) for each in lines]),
        )

    def _draw_series(
        self,
        lines: Sequence[GroupLine],
        *,
        is_cut: bool,
        currencies: Mapping[int, Sequence[str]] | None,
        code: str,
        notes: list[str],
    ) -> list[Series]:
        if self.second is None:
            return []
        found = read_series(
            self.opened, second=self.second, measure=self.measure, currencies=currencies, most=MOST_SERIES
        )
        has_more = len(found) > MOST_SERIES
        shown = found[: MOST_SERIES - 1] if has_more else found
        cells = read_cells(
            self.opened,
            second=self.second,
            currencies=currencies,
            categories=[each.values[0] for each in lines] if is_cut else None,
            series=shown if has_more else None,
        )
        drawn = [self._draw_cells(lines, cells=cells, value=value, code=code) for value in shown]
        if not has_more:
            return drawn
        if not self.adds_up:
            notes.append(f"the greatest {len(shown)} of {self.second.label}")
            return drawn
        return [*drawn, self._draw_others(lines, drawn=drawn, code=code)]

    def _draw_cells(self, lines: Sequence[GroupLine], *, cells: Cells, value: GroupValue, code: str) -> Series:
        figures = [cells.get((each.values[0].identity, value.identity)) for each in lines]
        return Series(
            label=value.text,
            values=tuple(self._read(found[self.measure] if found else None, code=code) for found in figures),
            links=self._link([(each.values[0], value) for each in lines]),
        )

    def _draw_others(self, lines: Sequence[GroupLine], *, drawn: Sequence[Series], code: str) -> Series:
        whole = self._draw_one(lines, code=code).values
        parts = [sum(Decimal(str(each.values[at] or 0)) for each in drawn) for at in range(len(lines))]
        return Series(
            label=_OTHERS,
            values=tuple(Decimal(str(value or 0)) - part for value, part in zip(whole, parts, strict=True)),
            links=self._link([(each.values[0], None) for each in lines]) and ("",) * len(lines),
        )

    def _read(self, figure: Figure | None, *, code: str) -> Decimal | int | float | None:
        nothing = 0 if self.adds_up else None
        if figure is None:
            return nothing
        if self.figure.is_money:
            return next((each.amount for each in figure.amounts if each.currency == code), nothing)
        return figure.value if isinstance(figure.value, _NUMBERS) else nothing

    def _link(self, pairs: Sequence[tuple[GroupValue, GroupValue | None]]) -> tuple[str, ...]:
        if self.find_rows is None:
            return ()
        before = len(self.opened.groups) - 1 if self.opened.across is not None else 0
        return tuple(
            self.find_rows([first.identity] if second is None else [first.identity, *[None] * before, second.identity])
            for first, second in pairs
        )
