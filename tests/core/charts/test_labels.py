"""Labels: shortened to their room, and thinned where there are too many."""

from __future__ import annotations

from ctms.core.charts.labels import estimate_width, find_class, find_thinned_classes, shorten_text


def test_a_long_text_is_shortened_to_its_room() -> None:
    long = "Charité – Universitätsmedizin Berlin"
    assert shorten_text(long, width=400) == long
    short = shorten_text(long, width=100)
    assert short.startswith("Charité")
    assert short.endswith("…")
    assert estimate_width(short) <= 100
    assert estimate_width("大学") > estimate_width("ab")


def test_labels_of_a_narrow_chart_are_among_those_of_a_wider_one() -> None:
    classes = find_thinned_classes(count=12, width=56, margins=48)
    assert [place for place, css_class in enumerate(classes) if css_class == ""] == [0, 4, 8]
    assert [place for place, css_class in enumerate(classes) if css_class == "chart-from-560"] == [2, 6, 10]
    assert set(classes) == {"", "chart-from-560", "chart-from-900"}
    assert find_thinned_classes(count=1, width=500, margins=48) == [""]
    assert None in find_thinned_classes(count=60, width=56, margins=48)


def test_labels_that_belong_together_are_shown_together() -> None:
    assert find_class(count=3, width=40, margins=48) == ""
    assert find_class(count=12, width=40, margins=48) == "chart-from-720"
    assert find_class(count=60, width=40, margins=48) is None
