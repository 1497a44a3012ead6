"""A whole chart: title, picture, legend and table."""

from __future__ import annotations

from django.utils.safestring import SafeString

from ctms.core.charts.chart import Chart, ChartKind
from ctms.core.charts.columns import draw_columns, suits_columns
from ctms.core.charts.donuts import draw_donut
from ctms.core.charts.figures import Figures, build_figures
from ctms.core.charts.lines import draw_lines
from ctms.core.charts.marks import build_area_key, build_line_key
from ctms.core.charts.markup import NOTHING, build_element
from ctms.core.charts.rows import draw_rows
from ctms.core.charts.tables import build_table


def render_chart(chart: Chart) -> SafeString:
    """Return the chart as HTML that needs no script and no style of its own, only `charts.css`."""
    figures = build_figures(chart)
    parts = (
        [NOTHING, _build_note("Nothing to show: there is no figure other than zero.")]
        if figures.is_empty
        else _draw(figures)
    )
    table = build_table(figures) if any(True for _ in figures.iterate()) else NOTHING
    return build_element("figure", {"class": "chart"}, build_element("figcaption", {}, chart.title), *parts, table)


def _draw(figures: Figures) -> list[SafeString]:
    chart = figures.chart
    if chart.kind is ChartKind.DONUT and not figures.has_negative:
        return [draw_donut(figures)]
    note = (
        _build_note("Shown as bars, because figures below zero have no share.")
        if chart.kind is ChartKind.DONUT
        else NOTHING
    )
    return [_build_measure(chart), _draw_along_axes(figures), _build_legend(figures), note]


def _draw_along_axes(figures: Figures) -> SafeString:
    if figures.chart.kind is ChartKind.LINE:
        return draw_lines(figures)
    return draw_columns(figures) if suits_columns(figures) else draw_rows(figures)


def _build_measure(chart: Chart) -> SafeString:
    """Return what the axis measures, such as "Duration (days)"."""
    unit = f"({chart.unit})" if chart.value_label and chart.unit else chart.unit
    words = f"{chart.value_label} {unit}".strip()
    return build_element("p", {"class": "chart-measure"}, words) if words else NOTHING


def _build_legend(figures: Figures) -> SafeString:
    """Return what each tone stands for, where there is more than one."""
    series = range(len(figures.chart.series))
    if len(series) == 1:
        return NOTHING
    is_line = figures.chart.kind is ChartKind.LINE
    keys = (
        build_line_key(each) if is_line else build_area_key(chart_id=figures.chart_id, series=each) for each in series
    )
    entries = (
        build_element("li", {}, key, build_element("span", {"class": "chart-name"}, each.label))
        for key, each in zip(keys, figures.chart.series, strict=True)
    )
    return build_element("ul", {"class": "chart-legend"}, *entries)


def _build_note(text: str) -> SafeString:
    return build_element("p", {"class": "chart-note"}, text)
