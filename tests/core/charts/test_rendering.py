"""Charts as a reader has them: figures, names, links and the table, read from the HTML by an XML parser."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from xml.etree import ElementTree as ET

import pytest
from django.template import Context, Template
from hypothesis import given
from hypothesis import strategies as st

from ctms.core.charts import Chart, ChartKind, Series, render_chart

MONTHS = ("January 2026", "February 2026", "March 2026")
PHONE = Series(label="Phone", values=(4, None, 12), links=("/a/?m=1", "", "/a/?m=3"))
POST = Series(label="Post", values=(1, 2, 0))
HOSTILE = "<script>alert(\"1\")</script> & 'x'"


def make_chart(
    kind: ChartKind, *series: Series, categories: Sequence[str] = MONTHS, unit: str = "", ordered: bool = True
) -> Chart:
    return Chart(
        kind=kind,
        title="Activities",
        categories=tuple(categories),
        series=series,
        unit=unit,
        ordered=ordered,
    )


def count_each(*values: float | None, label: str = "Count") -> Series:
    return Series(label=label, values=values)


def draw(chart: Chart) -> ET.Element:
    return ET.fromstring(render_chart(chart))  # noqa: S314  what the project wrote


def find_by_class(root: ET.Element, css_class: str) -> list[ET.Element]:
    return [each for each in root.iter() if css_class in each.get("class", "").split()]


def read_table(root: ET.Element) -> list[list[str]]:
    return [["".join(cell.itertext()) for cell in row] for row in root.iter("tr")]


@pytest.mark.parametrize("kind", [ChartKind.BAR, ChartKind.STACKED, ChartKind.LINE])
def test_each_figure_is_named_and_leads_to_what_it_counts(kind: ChartKind) -> None:
    root = draw(make_chart(kind, PHONE, POST))
    (picture,) = find_by_class(root, "chart-plot")
    links = {link.get("aria-label"): link.get("href") for link in picture.iter("a")}
    assert links == {"Phone, January 2026: 4": "/a/?m=1", "Phone, March 2026: 12": "/a/?m=3"}
    names = [title.text for group in picture.iter("g") for title in group.findall("title")]
    assert {"Post, January 2026: 1", "Post, February 2026: 2"} <= set(names)
    assert picture.get("role") == "group"
    assert [entry.find("span").text for entry in root.iter("li")] == ["Phone", "Post"]  # type: ignore[union-attr]  # each has one


@pytest.mark.parametrize("kind", ChartKind)
def test_without_links_the_picture_is_an_image_with_a_name_a_description_and_a_table(kind: ChartKind) -> None:
    root = draw(make_chart(kind, count_each(4, None, 1_200), unit="EUR"))
    (picture,) = (each for each in root.iter("svg") if each.get("role") == "img")
    texts = {each.get("id"): each.text for each in picture}
    assert texts[picture.get("aria-labelledby")] == "Activities"
    described = texts[picture.get("aria-describedby")]
    assert described is not None
    assert "Highest: Count, March 2026: 1,200\N{NO-BREAK SPACE}EUR. Lowest: Count, January 2026" in described
    assert read_table(root) == [
        ["Category", "Count"],
        ["January 2026", "4\N{NO-BREAK SPACE}EUR"],
        ["February 2026", "–"],
        ["March 2026", "1,200\N{NO-BREAK SPACE}EUR"],
    ]


@pytest.mark.parametrize("kind", ChartKind)
def test_nothing_in_a_label_becomes_markup_and_no_style_or_script_is_inline(kind: ChartKind) -> None:
    series = Series(label=HOSTILE, values=(3, 2), links=(f"/a/?q={HOSTILE}", ""))
    html = render_chart(
        Chart(
            kind=kind,
            title=HOSTILE,
            categories=(HOSTILE, HOSTILE * 5),
            series=(series,),
            unit=HOSTILE,
            value_label=HOSTILE,
        )
    )
    root = ET.fromstring(html)  # noqa: S314  what the project wrote
    attributes = {name for each in root.iter() for name in each.keys()}  # noqa: SIM118  elements are no dictionaries
    assert "script" not in {each.tag for each in root.iter()}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert root.findtext("figcaption") == HOSTILE
    assert next(root.iter("a")).get("href") == f"/a/?q={HOSTILE}"


@pytest.mark.parametrize("link", ["javascript:alert(1)", "https://example.org/", "//example.org/", "/\\example.org/"])
def test_a_figure_leads_nowhere_else(link: str) -> None:
    with pytest.raises(ValueError, match="this site only"):
        Series(label="Phone", values=(1,), links=(link,))


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(ValueError, match="one value for each category"):
        make_chart(ChartKind.BAR, count_each(1, 2))
    with pytest.raises(ValueError, match="one for each value"):
        Series(label="Phone", values=(1, 2), links=("/",))
    with pytest.raises(ValueError, match="at most 12"):
        make_chart(ChartKind.LINE, *[POST] * 13)
    with pytest.raises(ValueError, match="one series"):
        make_chart(ChartKind.DONUT, POST, POST)


@pytest.mark.parametrize("kind", ChartKind)
@pytest.mark.parametrize("values", [(None, None, None), (0, 0, None)])
def test_a_chart_of_nothing_says_so(kind: ChartKind, values: tuple[int | None, ...]) -> None:
    root = draw(make_chart(kind, count_each(*values)))
    assert root.findtext("p") == "Nothing to show: there is no figure other than zero."
    assert not list(root.iter("svg"))
    assert bool(read_table(root)) == (0 in values)


def test_a_chart_without_categories_or_series_is_a_chart_of_nothing() -> None:
    root = draw(make_chart(ChartKind.BAR, categories=()))
    assert root.findtext("p", "").startswith("Nothing to show")


def test_few_or_ordered_categories_are_columns_and_the_others_rows() -> None:
    def lies(categories: Sequence[str], *, ordered: bool = False) -> bool:
        series = Series(label="", values=(1,) * len(categories))
        bar = find_by_class(
            draw(make_chart(ChartKind.BAR, series, categories=categories, ordered=ordered)), "chart-shape"
        )[0]
        return bar.get("height") == "18"

    assert not lies(["Phone", "Post"])
    assert lies([f"Site {each}" for each in range(30)])
    assert not lies([f"Week {each}" for each in range(30)], ordered=True)
    assert lies(["Charité – Universitätsmedizin Berlin"])


def test_parts_below_zero_are_stacked_downwards() -> None:
    root = draw(
        make_chart(ChartKind.STACKED, count_each(6, label="In"), count_each(-6, label="Out"), categories=["May"])
    )
    (zero,) = find_by_class(root, "chart-zero")
    inwards, outwards = (each for each in find_by_class(root, "chart-shape") if each.get("x"))
    assert float(inwards.attrib["y"]) + float(inwards.attrib["height"]) == float(zero.attrib["y1"])
    assert outwards.get("y") == zero.get("y1")
    assert outwards.get("height") == inwards.get("height")


def test_a_stack_bears_its_total_and_a_bar_its_figure() -> None:
    def read_values(*series: Series, kind: ChartKind) -> list[str | None]:
        return [each.text for each in find_by_class(draw(make_chart(kind, *series)), "chart-value")]

    assert read_values(PHONE, POST, kind=ChartKind.STACKED) == ["5", "2", "12"]
    assert read_values(PHONE, kind=ChartKind.BAR) == ["4", "12"]


def test_a_line_has_a_gap_where_a_figure_is_missing() -> None:
    root = draw(make_chart(ChartKind.LINE, count_each(1, 2, None, 4), categories=["A", "B", "C", "D"]))
    assert [len(line.attrib["points"].split()) for line in root.iter("polyline")] == [2, 1]
    assert len(find_by_class(root, "chart-point")) == 3


def test_series_differ_by_texture_or_mark_and_not_only_by_tone() -> None:
    many = [count_each(5, label=str(each)) for each in range(12)]
    textures = [
        each.get("d")
        for each in find_by_class(draw(make_chart(ChartKind.BAR, *many, categories=["A"])), "chart-texture")
    ]
    assert len(set(textures)) == 11  # the first one is plain
    keys = find_by_class(draw(make_chart(ChartKind.LINE, *many, categories=["A"])), "chart-key")
    marks = {(each.get("class"), each.get("d")) for key in keys for each in key.iter("path")}
    assert len(marks) == 12


def test_small_shares_of_a_donut_are_gathered() -> None:
    categories = ["Phone", "Post", "Visit", "Fax", "Courier"]
    root = draw(make_chart(ChartKind.DONUT, count_each(500, 480, 18, 1, 1), categories=categories))
    entries = [[span.text for span in entry.iter("span")] for entry in root.iter("li")]
    assert entries == [["Phone", "500 (50%)"], ["Post", "480 (48%)"], ["3 others", "20 (2%)"]]
    assert len(read_table(root)) == 6

    lonely = draw(make_chart(ChartKind.DONUT, count_each(999, 1), categories=["Phone", "Fax"]))
    assert [entry.findtext("span") for entry in lonely.iter("li")] == ["Phone", "Fax"]


def test_a_donut_with_figures_below_zero_is_drawn_as_bars() -> None:
    root = draw(make_chart(ChartKind.DONUT, count_each(5, -2, 1)))
    assert root.findtext("p[@class='chart-note']") == "Shown as bars, because figures below zero have no share."
    assert find_by_class(root, "chart-plot")


@given(
    st.sampled_from([ChartKind.BAR, ChartKind.STACKED, ChartKind.LINE, ChartKind.DONUT]),
    st.lists(
        st.none() | st.integers() | st.floats() | st.decimals(min_value=-(10**12), max_value=10**12),
        min_size=1,
        max_size=60,
    ),
    st.booleans(),
)
def test_any_figures_make_a_chart_whose_places_are_within_it(
    kind: ChartKind, values: list[Decimal | float | None], ordered: bool
) -> None:
    categories = [f"Site {each}" for each in range(len(values))]
    root = draw(make_chart(kind, Series(label="Any", values=tuple(values)), categories=categories, ordered=ordered))
    for each in find_by_class(root, "chart-shape"):
        if each.get("x"):
            assert -0.3 <= float(each.attrib["x"].rstrip("%")) <= 100
            assert re.fullmatch(r"\d+(\.\d+)?%?", each.attrib["width"])


def test_a_template_shows_a_chart() -> None:
    chart = make_chart(ChartKind.BAR, PHONE)
    assert Template("{% chart panel.chart %}").render(Context({"panel": {"chart": chart}})) == render_chart(chart)
