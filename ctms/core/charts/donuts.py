"""Rings of shares, with the figures in the legend. Small shares are gathered."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.safestring import SafeString

from ctms.core.charts.chart import MOST_SERIES
from ctms.core.charts.figures import Figures, wrap_shapes
from ctms.core.charts.labels import shorten_text
from ctms.core.charts.marks import OTHERS, build_area_key, build_fill, build_textures
from ctms.core.charts.markup import build_element, join_elements
from ctms.core.charts.numbers import format_figure, format_label, format_share

_SIZE = 200
_OUTER, _INNER = 98.0, 62.0
_LEAST_SHARE = Decimal("0.02")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    label: str
    number: Decimal
    tone: int
    link: str = ""


def draw_donut(figures: Figures) -> SafeString:
    """Return the ring and its legend, which stand side by side where there is room."""
    slices = _list_slices(figures)
    total = sum((each.number for each in slices), Decimal(0))
    chart = figures.chart
    middle = (
        build_element(
            "text", {"class": "chart-total", "text-anchor": "middle", "y": 4}, format_label(total, unit=chart.unit)
        ),
        build_element(
            "text",
            {"class": "chart-tick", "text-anchor": "middle", "y": 22},
            shorten_text(chart.value_label, width=96),
        ),
    )
    picture = figures.build_picture(
        {
            "class": "chart-ring",
            "viewBox": f"{-_SIZE / 2:g} {-_SIZE / 2:g} {_SIZE} {_SIZE}",
            "width": _SIZE,
            "height": _SIZE,
        },
        build_textures(chart_id=figures.chart_id, series=(each.tone for each in slices)),
        *_draw_slices(figures, slices, total),
        build_element("g", {"aria-hidden": "true"}, *middle),
    )
    return build_element("div", {"class": "chart-donut"}, picture, _build_legend(figures, slices, total))


def _list_slices(figures: Figures) -> list[_Slice]:
    """Return the slices in the order of the categories; those below two per cent or beyond eleven become one."""
    (numbers,) = figures.numbers
    known = [(category, number) for category, number in enumerate(numbers) if number]
    least = sum((number for _, number in known), Decimal(0)) * _LEAST_SHARE
    largest = sorted(known, key=lambda each: -each[1])
    kept = {category for category, number in largest[: MOST_SERIES - 1] if number >= least}
    if len(known) - len(kept) == 1:
        kept = {category for category, _ in known}
    gathered = [number for category, number in known if category not in kept]
    slices = [
        _Slice(label=figures.chart.categories[category], number=number, tone=tone, link=figures.get_link(0, category))
        for tone, (category, number) in enumerate(each for each in known if each[0] in kept)
    ]
    if gathered:
        slices.append(_Slice(label=f"{len(gathered)} others", number=sum(gathered, Decimal(0)), tone=OTHERS))
    return slices


def _describe_share(figures: Figures, each: _Slice, total: Decimal) -> str:
    figure = format_figure(each.number, unit=figures.chart.unit)
    return f"{figure} ({format_share(each.number, total=total)})"


def _draw_slices(figures: Figures, slices: list[_Slice], total: Decimal) -> Iterator[SafeString]:
    begin = Decimal(0)
    for each in slices:
        path = _write_path(float(begin / total), float((begin + each.number) / total))
        shape = build_element("path", {"d": path, **build_fill(chart_id=figures.chart_id, series=each.tone)})
        yield wrap_shapes(f"{each.label}: {_describe_share(figures, each, total)}", each.link, shape)
        begin += each.number


def _write_path(begin: float, end: float) -> str:
    """Return the part of the ring between two shares of the whole turn, from the top and clockwise."""
    middle = (begin + end) / 2
    outer = "".join(_write_arc(_OUTER, share) for share in (middle, end))
    inner = "".join(_write_arc(_INNER, share, back=True) for share in (middle, begin))
    across = "ZM" if end - begin == 1 else "L"  # a whole ring has no edge
    return f"M{_write_point(_OUTER, begin)}{outer}{across}{_write_point(_INNER, end)}{inner}Z"


def _write_arc(radius: float, share: float, *, back: bool = False) -> str:
    return f"A{radius:g} {radius:g} 0 0 {0 if back else 1} {_write_point(radius, share)}"


def _write_point(radius: float, share: float) -> str:
    turn = share * math.tau
    return f"{radius * math.sin(turn):.2f} {-radius * math.cos(turn):.2f}"


def _build_legend(figures: Figures, slices: list[_Slice], total: Decimal) -> SafeString:
    entries = (
        build_element(
            "li",
            {},
            build_area_key(chart_id=figures.chart_id, series=each.tone),
            build_element("span", {"class": "chart-name"}, each.label),
            build_element("span", {"class": "chart-amount"}, _describe_share(figures, each, total)),
        )
        for each in slices
    )
    return build_element("ul", {"class": "chart-legend"}, join_elements(entries))
