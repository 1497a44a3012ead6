"""The plot of columns and lines: values upwards, categories from left to right.

The SVG is as wide as the plot and everything in it is placed by percentages of its width and pixels of its height. So
texts keep their size in any width. Labels of the axes stand outside, in margins that classes give it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.safestring import SafeString

from ctms.core.charts.figures import Figures
from ctms.core.charts.labels import (
    WIDTHS,
    choose_margin,
    estimate_width,
    find_thinned_classes,
    find_widest,
    shorten_text,
)
from ctms.core.charts.markup import NOTHING, Attributes, build_element, join_elements, write_percentage
from ctms.core.charts.numbers import format_tick
from ctms.core.charts.scales import Scale

TOP = 20
PLOT_HEIGHT = 220
BOTTOM = TOP + PLOT_HEIGHT
HEIGHT = BOTTOM + 26
LONGEST_LABEL = 112

_LABEL_PLACE = BOTTOM + 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """A plot with a scale on its left and a label below each category."""

    figures: Figures
    scale: Scale

    def build(self, *content: SafeString) -> SafeString:
        """Return the SVG with the axes and `content`."""
        css_class = f"chart-plot chart-is-{self.figures.chart.kind} chart-start-{self._start} chart-end-{self._end}"
        axes = build_element("g", {"aria-hidden": "true"}, *self._build_scale(), *self._build_labels())
        return self.figures.build_picture({"class": css_class, "height": HEIGHT}, axes, *content)

    def find_height(self, share: float) -> float:
        """Return the place of a share of the scale in pixels from the top."""
        return BOTTOM - share * PLOT_HEIGHT

    @property
    def margins(self) -> int:
        return self._start + self._end

    @property
    def _ticks(self) -> list[str]:
        unit = self.figures.chart.unit
        return [format_tick(tick, largest=self.scale.largest, unit=unit) for tick in self.scale.ticks]

    @property
    def _start(self) -> int:
        return choose_margin(find_widest(self._ticks))

    @property
    def _end(self) -> int:
        categories = self.figures.chart.categories
        slot = WIDTHS[0] / len(categories)
        return choose_margin(
            max(0.0, (estimate_width(shorten_text(categories[-1], width=LONGEST_LABEL)) - slot) / 2 - 8)
        )

    def _build_scale(self) -> Sequence[SafeString]:
        return [
            join_elements(self._build_tick(self.find_height(self.scale.find_share(tick)), label, is_zero=not tick))
            for tick, label in zip(self.scale.ticks, self._ticks, strict=True)
        ]

    def _build_tick(self, height: float, label: str, *, is_zero: bool) -> tuple[SafeString, SafeString]:
        css_class = "chart-zero" if is_zero else "chart-grid"
        line: Attributes = {"class": css_class, "x2": "100%", "y1": height, "y2": height}
        text: Attributes = {"class": "chart-tick", "x": -8, "y": height, "dy": "0.35em", "text-anchor": "end"}
        return build_element("line", line), build_element("text", text, label)

    def _build_labels(self) -> Sequence[SafeString]:
        whole = self.figures.chart.categories
        short = [shorten_text(each, width=LONGEST_LABEL) for each in whole]
        classes = find_thinned_classes(count=len(whole), width=find_widest(short), margins=self.margins)
        return [
            build_label(
                text=text,
                whole=whole[place],
                attributes={
                    "class": f"chart-label {css_class}".strip(),
                    "x": write_percentage((place + 0.5) / len(whole)),
                    "y": _LABEL_PLACE,
                    "text-anchor": "middle",
                },
            )
            for place, (text, css_class) in enumerate(zip(short, classes, strict=True))
            if css_class is not None
        ]


def build_label(*, text: str, whole: str, attributes: Attributes) -> SafeString:
    """Return a label; the whole text of a shortened one shows under the mouse."""
    title = build_element("title", {}, whole) if text != whole else NOTHING
    return build_element("text", attributes, title, text)
