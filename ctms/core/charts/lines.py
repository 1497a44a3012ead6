"""Lines over categories in order. Where a figure is missing the line has a gap."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from django.utils.safestring import SafeString

from ctms.core.charts.figures import Figures
from ctms.core.charts.marks import build_mark, name_line, name_tone
from ctms.core.charts.markup import Attributes, build_element, write_percentage
from ctms.core.charts.plots import BOTTOM, Plot
from ctms.core.charts.scales import build_scale

_HIT = 10
# With more points in a line their marks are smaller.
_MANY_POINTS = 24


def draw_lines(figures: Figures) -> SafeString:
    plot = Plot(figures=figures, scale=build_scale(number for _, _, number in figures.iterate()))
    series = range(len(figures.numbers))
    return plot.build(
        _draw_strokes(plot),
        *(build_element("g", _name_group(plot, each), *_draw_points(plot, each)) for each in series),
    )


def _name_group(plot: Plot, series: int) -> Attributes:
    small = " chart-small" if len(plot.figures.chart.categories) > _MANY_POINTS else ""
    return {"class": f"{name_tone(series)}{small}"}


def _draw_strokes(plot: Plot) -> SafeString:
    """Return all lines in a picture of their own, which is 100 wide and is stretched; points are not."""
    strokes = [
        build_element("polyline", {"class": f"{name_line(series)} {name_tone(series)}", "points": points})
        for series in range(len(plot.figures.numbers))
        for points in _list_runs(plot, series)
    ]
    attributes: Attributes = {
        "width": "100%",
        "height": BOTTOM,
        "viewBox": f"0 0 100 {BOTTOM}",
        "preserveAspectRatio": "none",
    }
    return build_element("svg", {**attributes, "aria-hidden": "true"}, *strokes)


def _list_runs(plot: Plot, series: int) -> Iterator[str]:
    count = len(plot.figures.chart.categories)
    for known, run in itertools.groupby(enumerate(plot.figures.numbers[series]), key=lambda each: each[1] is not None):
        if known:
            yield " ".join(
                f"{(category + 0.5) / count * 100:.3f},{plot.find_height(plot.scale.find_share(number)):.2f}"
                for category, number in run
                if number is not None
            )


def _draw_points(plot: Plot, series: int) -> Iterator[SafeString]:
    count = len(plot.figures.chart.categories)
    for category, number in enumerate(plot.figures.numbers[series]):
        if number is not None:
            place: Attributes = {
                "class": "chart-point",
                "x": write_percentage((category + 0.5) / count),
                "y": plot.find_height(plot.scale.find_share(number)),
            }
            hit = build_element("circle", {"class": "chart-hit", "r": _HIT})
            point = build_element("svg", place, hit, build_mark(series))
            yield plot.figures.wrap_figure(series, category, point)
