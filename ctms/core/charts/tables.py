"""The same figures as a table, for everybody who would rather read them."""

from __future__ import annotations

from django.utils.safestring import SafeString

from ctms.core.charts.figures import Figures
from ctms.core.charts.markup import build_element
from ctms.core.charts.numbers import format_figure


def build_table(figures: Figures) -> SafeString:
    """Return a table of one row for each category and one column for each series, which is opened on demand."""
    chart = figures.chart
    heads = (
        build_element("th", {"scope": "col"}, each.label or chart.value_label or "Figure") for each in chart.series
    )
    rows = (
        build_element(
            "tr",
            {},
            build_element("th", {"scope": "row"}, label),
            *(_build_cell(figures, series, category) for series in range(len(chart.series))),
        )
        for category, label in enumerate(chart.categories)
    )
    table = build_element(
        "table",
        {},
        build_element("caption", {"class": "chart-unseen"}, chart.title),
        build_element("thead", {}, build_element("tr", {}, build_element("th", {"scope": "col"}, "Category"), *heads)),
        build_element("tbody", {}, *rows),
    )
    return build_element(
        "details",
        {"class": "chart-figures"},
        build_element("summary", {}, "Show as table"),
        build_element(
            "div",
            {"class": "chart-scroll", "tabindex": 0, "role": "group", "aria-label": f"Figures: {chart.title}"},
            table,
        ),
    )


def _build_cell(figures: Figures, series: int, category: int) -> SafeString:
    figure = format_figure(figures.numbers[series][category], unit=figures.chart.unit)
    link = figures.get_link(series, category)
    return build_element("td", {}, build_element("a", {"href": link}, figure) if link else figure)
