"""What a chart says: its figures and what they are called."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from decimal import Decimal

from django.utils.http import url_has_allowed_host_and_scheme

# As many tones, textures and marks are told apart.
MOST_SERIES = 12


class ChartKind(enum.StrEnum):
    BAR = "bar"
    STACKED = "stacked"
    LINE = "line"
    DONUT = "donut"


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Figures of one tone, one for each category of the chart; None is "no figure".

    `links` are empty, or lead from each figure to what it counts, within this site: "/activities/?channel=phone", or
    "" for a figure without one.
    """

    label: str
    values: tuple[Decimal | int | float | None, ...]
    links: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.links and len(self.links) != len(self.values):
            raise ValueError("A series has no links, or one for each value.")
        if any(link and not url_has_allowed_host_and_scheme(link, allowed_hosts=None) for link in self.links):
            raise ValueError("A figure of a chart links to a page of this site only.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart of one to twelve series over the same categories; a donut has one series.

    Args:
        kind: a donut with figures below zero is drawn as bars, because such figures have no share.
        title: what stands above the chart, and is its name for screen readers.
        categories: what the figures stand for, such as months, studies or channels.
        unit: stands after each figure: "%", "days", "EUR".
        value_label: what the figures count or measure, such as "Activities".
        ordered: whether the categories are steps of one scale, such as months. Where there is little room, some of
            their labels are then left out; categories without order become horizontal bars instead.
    """

    kind: ChartKind
    title: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str = ""
    value_label: str = ""
    ordered: bool = False

    def __post_init__(self) -> None:
        if any(len(each.values) != len(self.categories) for each in self.series):
            raise ValueError("A series has one value for each category of its chart.")
        if len(self.series) > MOST_SERIES:
            raise ValueError(f"A chart shows at most {MOST_SERIES} series.")
        if self.kind is ChartKind.DONUT and len(self.series) > 1:
            raise ValueError("A donut shows one series.")
