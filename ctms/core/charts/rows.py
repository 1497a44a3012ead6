"""Bars that lie, one row below the other: for many categories and for long labels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from ctms.core.charts.figures import Figures
from ctms.core.charts.labels import MARGINS, WIDTHS, choose_margin, find_thinned_classes, find_widest, shorten_text
from ctms.core.charts.marks import build_fill
from ctms.core.charts.markup import Attributes, build_element, write_percentage
from ctms.core.charts.numbers import format_tick
from ctms.core.charts.plots import build_label
from ctms.core.charts.scales import Scale
from ctms.core.charts.segments import Bars, Segment, build_bars

# Pixels, but for the least width, which is a share.
_LONGEST_BESIDE = MARGINS[-1] - 8
_LONGEST_ABOVE = WIDTHS[0] - 20
_LINE = 20
_GAP = 10
_TALL = 480
_LEAST_WIDTH = 0.003
# How thick each bar is where so many lie together.
_THICKNESSES = ((1, 18), (4, 12), (12, 8))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """A chart of rows: where each of them is, and how its labels stand."""

    figures: Figures
    bars: Bars
    scale: Scale

    @property
    def categories(self) -> tuple[str, ...]:
        return self.figures.chart.categories

    @property
    def labels_above(self) -> bool:
        return find_widest(self.categories) > _LONGEST_BESIDE

    @property
    def start(self) -> int:
        return choose_margin(self.overhang if self.labels_above else max(self.overhang, find_widest(self.categories)))

    @property
    def end(self) -> int:
        return choose_margin(max(self.overhang, self.bars.widest_label))

    @property
    def ticks(self) -> list[str]:
        unit = self.figures.chart.unit
        return [format_tick(tick, largest=self.scale.largest, unit=unit) for tick in self.scale.ticks]

    @property
    def overhang(self) -> float:
        """How far the labels of the scale stand out of the plot, within the usual gap beside it."""
        return find_widest(self.ticks) / 2 - MARGINS[0]

    @property
    def thickness(self) -> int:
        return next(thickness for most, thickness in _THICKNESSES if self.bars.lanes <= most)

    @property
    def row(self) -> int:
        return (_LINE if self.labels_above else 0) + self.thickness * self.bars.lanes + _GAP

    @property
    def top(self) -> int:
        return _LINE if self.row * len(self.categories) > _TALL else 0

    @property
    def bottom(self) -> int:
        return self.top + self.row * len(self.categories)

    def find_bar(self, category: int, lane: int) -> float:
        """Return the upper edge of a bar in pixels."""
        return self.top + (category + 1) * self.row - _GAP / 2 - (self.bars.lanes - lane) * self.thickness


def draw_rows(figures: Figures) -> SafeString:
    bars = build_bars(figures)
    rows = _Rows(figures=figures, bars=bars, scale=bars.scale)
    css_class = f"chart-plot chart-is-{figures.chart.kind} chart-start-{rows.start} chart-end-{rows.end}"
    axes = build_element("g", {"aria-hidden": "true"}, *_draw_scale(rows), *_draw_labels(rows))
    attributes: Attributes = {"class": css_class, "height": rows.bottom + _LINE}
    return figures.build_picture(attributes, bars.textures, axes, *_draw_segments(rows), *_draw_values(rows))


def _draw_scale(rows: _Rows) -> Iterator[SafeString]:
    count, margins = len(rows.ticks), rows.start + rows.end
    classes = find_thinned_classes(count=count, width=find_widest(rows.ticks), margins=margins)
    for tick, label, css_class in zip(rows.scale.ticks, rows.ticks, classes, strict=True):
        place = write_percentage(rows.scale.find_share(tick))
        line: Attributes = {
            "class": "chart-grid" if tick else "chart-zero",
            "x1": place,
            "x2": place,
            "y1": rows.top,
            "y2": rows.bottom,
        }
        yield build_element("line", line)
        if css_class is not None:
            text: Attributes = {"class": f"chart-tick {css_class}".strip(), "x": place, "text-anchor": "middle"}
            yield build_element("text", {**text, "y": rows.bottom + 16}, label)
            if rows.top:
                yield build_element("text", {**text, "y": rows.top - 8}, label)


def _draw_labels(rows: _Rows) -> Iterator[SafeString]:
    for category, whole in enumerate(rows.categories):
        text = shorten_text(whole, width=_LONGEST_ABOVE if rows.labels_above else _LONGEST_BESIDE)
        first = rows.find_bar(category, 0)
        place: Attributes = (
            {"x": 0, "y": first - 6}
            if rows.labels_above
            else {"x": -8, "y": first + rows.bars.lanes * rows.thickness / 2, "dy": "0.35em", "text-anchor": "end"}
        )
        yield build_label(text=text, whole=whole, attributes={"class": "chart-label", **place})


def _draw_segments(rows: _Rows) -> Iterator[SafeString]:
    figures = rows.figures
    for segment in rows.bars.segments:
        if segment.start != segment.end:
            along: Attributes = {
                "y": rows.find_bar(segment.category, segment.lane),
                "height": rows.thickness,
            }
            fill = build_fill(chart_id=figures.chart_id, series=segment.series)
            shapes = [build_element("rect", {**along, **_find_place(rows, segment), **fill})]
            if figures.get_link(segment.series, segment.category) and rows.bars.lanes == len(figures.numbers):
                shapes.insert(0, build_element("rect", {"class": "chart-hit", **along, "width": "100%"}))
            yield figures.wrap_figure(segment.series, segment.category, *shapes)


def _find_place(rows: _Rows, segment: Segment) -> dict[str, str]:
    low, high = segment.find_ends(rows.scale)
    width = max(high - low, _LEAST_WIDTH)
    return {"x": write_percentage(low if segment.end > 0 else high - width), "width": write_percentage(width)}


def _draw_values(rows: _Rows) -> Iterator[SafeString]:
    for category, label in rows.bars.labels.items():
        end = max(rows.bars.tops[category], Decimal(0))
        place: Attributes = {
            "class": "chart-value",
            "x": write_percentage(rows.scale.find_share(end)),
            "y": rows.find_bar(category, 0) + rows.thickness / 2,
            "dx": 6,
            "dy": "0.35em",
            "aria-hidden": "true",
        }
        yield build_element("text", place, label)
