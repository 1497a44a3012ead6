"""The bars of a chart, whichever way they point."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from ctms.core.charts.chart import ChartKind
from ctms.core.charts.figures import Figures
from ctms.core.charts.labels import find_widest
from ctms.core.charts.marks import build_textures
from ctms.core.charts.numbers import format_label
from ctms.core.charts.scales import Scale, build_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A bar or a part of a stacked one: from `start` to `end` on the scale, in one of the lanes of its category."""

    series: int
    category: int
    lane: int
    start: Decimal
    end: Decimal

    def find_ends(self, scale: Scale) -> tuple[float, float]:
        """Return the lower and the upper end as shares of the scale."""
        low, high = sorted((scale.find_share(self.start), scale.find_share(self.end)))
        return low, high


@dataclass(frozen=True, slots=True, kw_only=True)
class Bars:
    """All bars of a chart, with how many stand side by side in each category.

    `labels` are what is written at the end of the bars, by category, where there is one bar in each.
    """

    segments: tuple[Segment, ...]
    textures: SafeString
    lanes: int
    labels: dict[int, str]
    tops: dict[int, Decimal]

    @property
    def scale(self) -> Scale:
        return build_scale(each.end for each in self.segments)

    @property
    def widest_label(self) -> float:
        return find_widest(self.labels.values())


def count_lanes(figures: Figures) -> int:
    """Return how many bars stand side by side in each category."""
    return 1 if figures.chart.kind is ChartKind.STACKED else len(figures.numbers)


def build_bars(figures: Figures) -> Bars:
    """Return the bars, category by category; what is stacked goes up from zero, or down where it is below."""
    stacked, lanes = figures.chart.kind is ChartKind.STACKED, count_lanes(figures)
    segments = tuple(sorted(_stack(figures) if stacked else _set_side_by_side(figures), key=lambda each: each.category))
    tops: dict[int, Decimal] = {}
    if lanes == 1 and not (stacked and figures.has_negative):
        tops = {each.category: each.end for each in segments}
    labels = {category: format_label(top, unit=figures.chart.unit) for category, top in tops.items()}
    textures = build_textures(chart_id=figures.chart_id, series=range(len(figures.numbers)))
    return Bars(segments=segments, textures=textures, lanes=lanes, labels=labels, tops=tops)


def _set_side_by_side(figures: Figures) -> Iterable[Segment]:
    for series, category, number in figures.iterate():
        yield Segment(series=series, category=category, lane=series, start=Decimal(0), end=number)


def _stack(figures: Figures) -> Iterable[Segment]:
    ends: dict[tuple[int, bool], Decimal] = defaultdict(Decimal)
    for series, category, number in figures.iterate():
        start = ends[category, number < 0]
        ends[category, number < 0] = start + number
        yield Segment(series=series, category=category, lane=0, start=start, end=start + number)
