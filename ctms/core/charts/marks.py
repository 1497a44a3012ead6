"""What tells series apart beside their tone: textures of areas, marks and dashes of lines."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.safestring import SafeString

from ctms.core.charts.markup import NOTHING, Attributes, build_element

# Paths in a tile of 8 × 8 pixels; the first series is plain.
_RISING, _FALLING = "M-2 2l4-4M0 8l8-8M6 10l4-4", "M-2 6l4 4M0 0l8 8M6-2l4 4"
_TEXTURES = (
    "",
    _RISING,
    "M2 2h.01M6 6h.01",
    "M0 4h8",
    _FALLING,
    "M4 0v8",
    _RISING + _FALLING,
    "M0 4h8M4 0v8",
    "M0 2h4M4 6h4",
    "M0 6l4-4 4 4",
    "M4 2a2 2 0 1 0 .01 0",
    "M2 0v4M6 4v4",
)
# Paths around the point: circle, square, diamond, two triangles, cross; each filled for six series, then hollow.
_MARKS = (
    "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "M-3.5-3.5h7v7h-7z",
    "M0-5l5 5-5 5-5-5z",
    "M0-5l5 8.5h-10z",
    "M0 5l5-8.5h-10z",
    "M-1.6-4.8h3.2v3.2h3.2v3.2h-3.2v3.2h-3.2v-3.2h-3.2v-3.2h3.2z",
)
_DASHES = 4
_TILE = 8
_KEY = 12
_LINE_KEY = 28
OTHERS = -1


def name_tone(series: int) -> str:
    """Return the class that gives a series its tone; `OTHERS` is what a donut gathers."""
    return "chart-tone-others" if series == OTHERS else f"chart-tone-{series + 1}"


def build_textures(*, chart_id: str, series: Iterable[int]) -> SafeString:
    """Return the patterns of series, to which `build_fill` refers."""
    textures = [_build_texture(chart_id=chart_id, series=each) for each in series if _has_texture(each)]
    return build_element("defs", {}, *textures) if textures else NOTHING


def _has_texture(series: int) -> bool:
    return series != OTHERS and bool(_TEXTURES[series])


def _build_texture(*, chart_id: str, series: int) -> SafeString:
    return build_element(
        "pattern",
        {
            "id": f"{chart_id}-{series}",
            "class": name_tone(series),
            "width": _TILE,
            "height": _TILE,
            "patternUnits": "userSpaceOnUse",
        },
        build_element("rect", {"class": "chart-fill", "width": _TILE, "height": _TILE}),
        build_element("path", {"class": "chart-texture", "d": _TEXTURES[series]}),
    )


def build_fill(*, chart_id: str, series: int) -> Attributes:
    """Return the attributes that fill a shape with tone and texture of a series."""
    if not _has_texture(series):
        return {"class": f"chart-shape chart-fill {name_tone(series)}"}
    return {"class": "chart-shape", "fill": f"url(#{chart_id}-{series})"}


def build_mark(series: int) -> SafeString:
    """Return the mark of a point, around the origin."""
    hollow = " chart-hollow" if series >= len(_MARKS) else ""
    return build_element("path", {"class": f"chart-mark{hollow}", "d": _MARKS[series % len(_MARKS)]})


def name_line(series: int) -> str:
    return f"chart-stroke chart-dash-{series % _DASHES}"


def build_area_key(*, chart_id: str, series: int) -> SafeString:
    """Return the small picture that stands for a series of areas in the legend."""
    shape = {"width": _KEY, "height": _KEY, **build_fill(chart_id=chart_id, series=series)}
    return _build_key(_KEY, build_element("rect", shape))


def build_line_key(series: int) -> SafeString:
    """Return the small picture that stands for a line in the legend."""
    middle = _KEY / 2
    line: Attributes = {"class": name_line(series), "x2": _LINE_KEY, "y1": middle, "y2": middle}
    mark = build_element("g", {"transform": f"translate({_LINE_KEY // 2} {_KEY // 2})"}, build_mark(series))
    return _build_key(_LINE_KEY, build_element("g", {"class": name_tone(series)}, build_element("line", line), mark))


def _build_key(width: int, content: SafeString) -> SafeString:
    return build_element(
        "svg",
        {"class": "chart-key", "width": width, "height": _KEY, "aria-hidden": "true", "focusable": "false"},
        content,
    )
