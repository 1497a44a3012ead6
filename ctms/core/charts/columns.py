"""Bars that stand: for few categories, or for those in order."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from django.utils.safestring import SafeString

from ctms.core.charts.figures import Figures
from ctms.core.charts.labels import MARGINS, find_class, find_widest
from ctms.core.charts.marks import build_fill
from ctms.core.charts.markup import Attributes, build_element, write_percentage
from ctms.core.charts.plots import LONGEST_LABEL, PLOT_HEIGHT, TOP, Plot
from ctms.core.charts.segments import Bars, Segment, build_bars, count_lanes

# Shares of the width.
_FILLED = 0.72
_BROADEST = 0.12
_LEAST_HEIGHT = 1.5
# Thinner columns can be neither told apart nor hit.
_MOST_COLUMNS = 60
_USUAL_MARGINS = MARGINS[2] + MARGINS[0]


def suits_columns(figures: Figures) -> bool:
    """True where columns are broad enough on a phone, and every label that matters has room below them."""
    chart = figures.chart
    count, widest = len(chart.categories), find_widest(chart.categories)
    if count * count_lanes(figures) > _MOST_COLUMNS or widest > LONGEST_LABEL:
        return False
    return chart.ordered or find_class(count=count, width=widest, margins=_USUAL_MARGINS) == ""


def draw_columns(figures: Figures) -> SafeString:
    bars = build_bars(figures)
    plot = Plot(figures=figures, scale=bars.scale)
    return plot.build(bars.textures, *_draw_segments(plot, bars), *_draw_labels(plot, bars))


def _draw_segments(plot: Plot, bars: Bars) -> Iterator[SafeString]:
    for segment in bars.segments:
        if segment.start != segment.end:
            place, width = _find_place(plot, bars, segment)
            low, high = segment.find_ends(plot.scale)
            height = max((high - low) * PLOT_HEIGHT, _LEAST_HEIGHT)
            top = plot.find_height(high) if segment.end > 0 else plot.find_height(low) - height
            across: Attributes = {"x": write_percentage(place), "width": write_percentage(width)}
            fill = build_fill(chart_id=plot.figures.chart_id, series=segment.series)
            shapes = [build_element("rect", {**across, "y": top, "height": height, **fill})]
            if plot.figures.get_link(segment.series, segment.category) and bars.lanes == len(plot.figures.numbers):
                hit: Attributes = {"class": "chart-hit", **across, "y": TOP, "height": PLOT_HEIGHT}
                shapes.insert(0, build_element("rect", hit))
            yield plot.figures.wrap_figure(segment.series, segment.category, *shapes)


def _find_place(plot: Plot, bars: Bars, segment: Segment) -> tuple[float, float]:
    slot = 1 / len(plot.figures.chart.categories)
    width = min(slot * _FILLED / bars.lanes, _BROADEST)
    middle = (segment.category + 0.5) * slot
    return middle + (segment.lane - bars.lanes / 2) * width, width


def _draw_labels(plot: Plot, bars: Bars) -> Iterator[SafeString]:
    count = len(plot.figures.chart.categories)
    css_class = find_class(count=count, width=bars.widest_label, margins=plot.margins)
    if css_class is None:
        return
    for category, label in bars.labels.items():
        place: Attributes = {
            "class": f"chart-value {css_class}".strip(),
            "x": write_percentage((category + 0.5) / count),
            "y": plot.find_height(plot.scale.find_share(max(bars.tops[category], Decimal(0)))) - 6,
            "text-anchor": "middle",
            "aria-hidden": "true",
        }
        yield build_element("text", place, label)
