"""Tones that are seen and told apart, and classes that the stylesheet knows."""

from __future__ import annotations

import itertools
import math
import re

import pytest
from django.conf import settings

from ctms.core.charts.chart import MOST_SERIES
from ctms.core.charts.labels import MARGINS, WIDTHS
from ctms.core.charts.marks import OTHERS, name_tone

Colour = tuple[float, float, float]

STATIC = settings.BASE_DIR / "ctms" / "static"
LIGHT, DARK = 0, 1
# What is seen of red, green and blue light; Machado, Oliveira and Fernandes 2009, full severity.
SIGHTS = {
    "usual": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protan": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deutan": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritan": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
# The matrices of Oklab: light to cones, cones to lightness and two axes of colour.
TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
TO_OKLAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)


def read_token(name: str, scheme: int) -> Colour:
    """Return the red, green and blue light of a token, each between 0 and 1."""
    found = re.search(rf"--{name}: light-dark\(#(\w+), #(\w+)\)", (STATIC / "tokens.css").read_text())
    assert found, name
    digits = found.group(1 + scheme)
    digits = "".join(each * 2 for each in digits) if len(digits) == 3 else digits
    red, green, blue = (_to_light(int(digits[place : place + 2], 16) / 255) for place in (0, 2, 4))
    return red, green, blue


def _to_light(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def get_contrast(one: Colour, other: Colour) -> float:
    """Return the contrast as WCAG defines it."""
    low, high = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in (one, other))
    return (high + 0.05) / (low + 0.05)


def transform(matrix: tuple[Colour, ...], colour: Colour) -> Colour:
    first, second, third = (sum(part * light for part, light in zip(row, colour, strict=True)) for row in matrix)
    return first, second, third


def get_difference(one: Colour, other: Colour, sight: str) -> float:
    """Return the distance of two colours in Oklab, as somebody of this sight sees them."""
    seen = []
    for colour in (one, other):
        cones = transform(TO_CONES, tuple(max(0.0, each) for each in transform(SIGHTS[sight], colour)))  # type: ignore[arg-type]  # three
        seen.append(transform(TO_OKLAB, tuple(math.cbrt(each) for each in cones)))  # type: ignore[arg-type]  # three
    return math.dist(*seen)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_every_tone_is_seen_on_its_ground_and_told_from_the_others(scheme: int) -> None:
    tones = [read_token(f"chart-{each}", scheme) for each in range(1, MOST_SERIES + 1)]
    for ground in ("surface", "ground", "raised"):
        assert min(get_contrast(tone, read_token(ground, scheme)) for tone in tones) >= 3
    for sight in SIGHTS:
        assert min(get_difference(one, other, sight) for one, other in itertools.combinations(tones, 2)) > 0.05


def test_the_stylesheet_has_every_class_that_places_and_colours() -> None:
    names = {
        *(name_tone(each) for each in (*range(MOST_SERIES), OTHERS)),
        *(f"chart-{side}-{each}" for side in ("start", "end") for each in MARGINS),
        *(f"chart-from-{each}" for each in WIDTHS[1:]),
    }
    assert names <= set(re.findall(r"\.([\w-]+)", (STATIC / "charts.css").read_text()))
