"""The figures of a chart as numbers, with their names and links, and the SVG around them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from ctms.core.charts.chart import Chart
from ctms.core.charts.markup import Attributes, build_element
from ctms.core.charts.numbers import format_figure, measure


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A chart that is being drawn.

    `numbers[series][category]` is None where there is no figure. `chart_id` is the same for the same chart.
    """

    chart: Chart
    numbers: tuple[tuple[Decimal | None, ...], ...]
    chart_id: str

    @property
    def is_empty(self) -> bool:
        return not any(any(each) for each in self.numbers)

    @property
    def has_links(self) -> bool:
        return any(any(each.links) for each in self.chart.series)

    @property
    def has_negative(self) -> bool:
        return any(number < 0 for _, _, number in self.iterate())

    def iterate(self) -> Iterator[tuple[int, int, Decimal]]:
        """Return series, category and number of each figure, series by series."""
        for series, numbers in enumerate(self.numbers):
            for category, number in enumerate(numbers):
                if number is not None:
                    yield series, category, number

    def get_link(self, series: int, category: int) -> str:
        links = self.chart.series[series].links
        return links[category] if links else ""

    def name_figure(self, series: int, category: int) -> str:
        """Return the figure in words: "Phone, March 2026: 12"."""
        names = (self.chart.series[series].label, self.chart.categories[category])
        figure = format_figure(self.numbers[series][category], unit=self.chart.unit)
        return f"{', '.join(name for name in names if name)}: {figure}"

    def wrap_figure(self, series: int, category: int, *shapes: SafeString) -> SafeString:
        """Return the shapes of a figure with its name, as a link where it has one."""
        return wrap_shapes(self.name_figure(series, category), self.get_link(series, category), *shapes)

    def build_picture(self, attributes: Attributes, *children: SafeString) -> SafeString:
        """Return the SVG. It is an image for screen readers, or a group where there are links in it."""
        names = {"role": "group" if self.has_links else "img", "aria-labelledby": f"{self.chart_id}-title"}
        return build_element(
            "svg",
            {**attributes, **names, "aria-describedby": f"{self.chart_id}-description"},
            build_element("title", {"id": f"{self.chart_id}-title"}, self.chart.title),
            build_element("desc", {"id": f"{self.chart_id}-description"}, self._describe()),
            *children,
        )

    def _describe(self) -> str:
        ordered = sorted(self.iterate(), key=lambda each: each[2])
        lowest, highest = (self.name_figure(*each[:2]) for each in (ordered[0], ordered[-1]))
        if len(ordered) == 1:
            return f"{highest}."
        return f"{len(ordered)} figures. Highest: {highest}. Lowest: {lowest}."


def build_figures(chart: Chart) -> Figures:
    digest = hashlib.blake2b(repr(chart).encode(), digest_size=6).hexdigest()
    numbers = tuple(tuple(map(measure, each.values)) for each in chart.series)
    return Figures(chart=chart, numbers=numbers, chart_id=f"chart-{digest}")


def wrap_shapes(name: str, link: str, *shapes: SafeString) -> SafeString:
    """Return shapes with their name, as a link where there is one."""
    content = (build_element("title", {}, name), *shapes)
    return (
        build_element("a", {"href": link, "aria-label": name}, *content) if link else build_element("g", {}, *content)
    )
