"""The page of figures is rendered from what the benchmarks wrote."""

from __future__ import annotations

from typing import Any

from tests.benchmarks.figures import PEERS, render


def build_line(**values: Any) -> dict[str, Any]:
    return {
        "key": "bench_a.py::bench#1",
        "row": "P1",
        "what": "rate",
        "figure": "0.61",
        "bar": "≥ 0.6",
        "date": "2026-11-30",
        "machine": "2 × one",
        "command": "make bench",
    } | values


def test_a_figure_that_was_measured_again_takes_the_place_of_the_earlier_one() -> None:
    page = render([build_line(figure="0.25"), build_line(figure="0.61")])
    assert "| P1 | rate | 0.61 | ≥ 0.6 | 2026-11-30 | 1 | `make bench` |" in page
    assert "0.25" not in page


def test_rows_stand_in_the_order_of_their_numbers_and_peers_apart() -> None:
    lines = [build_line(key=row, row=row, what=f"of {row}") for row in (PEERS, "P10", "P9")]
    page = render(lines)
    assert page.index("of P9") < page.index("of P10") < page.index("## Peers") < page.index(f"of {PEERS}")
