"""Charts as SVG in the page: `render_chart(Chart(...))`, in templates `{% chart chart %}`; they need no script."""

from ctms.core.charts.chart import Chart, ChartKind, Series
from ctms.core.charts.rendering import render_chart

__all__ = ["Chart", "ChartKind", "Series", "render_chart"]
