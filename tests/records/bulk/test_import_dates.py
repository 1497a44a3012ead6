"""Dates of files: what a text means by itself, and how the order of day and month is found for a column."""

from __future__ import annotations

import datetime as dt

import pytest

from ctms.core.text.dates import DateOrder, read_moment, read_numeric
from ctms.records.bulk.imports.dialects.dates import MixedDatesError, find_reading

DAY, MOMENT = dt.datetime(2026, 3, 31), dt.datetime(2026, 3, 31, 14, 5)  # noqa: DTZ001  times on the wall


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-31", "2026/3/31", "2026-03-31 00:00:00", "2026-03-31T00:00", "2026-03-31 00:00:00.000"),
        *("31.03.2026", "31.3.26", "31. 3. 2026", "31-Mar-26", "31 Mar 2026", "31-mar-2026", "Mar 31, 2026"),
        *("March 31st, 2026", "Tue, 31 Mar 2026", "31. März 2026", "31-mars-26", "31 de marzo de 2026", "2026-Mar-31"),
        *("31 marca 2026", "31. března 2026", "31 maart 2026", "31 março 2026", "2026年3月31日", "46112", "46112.0"),
    ],
)
def test_a_date_that_names_its_month_or_order_has_one_meaning(text: str) -> None:
    assert read_numeric(text) is None
    assert read_moment(text) == DAY


@pytest.mark.parametrize(
    "text",
    [
        *("2026-03-31 14:05", "2026-03-31T14:05:00", "31.03.2026 14:05", "31-Mar-26 2:05 PM", "31 Mar 2026, 14:05"),
        *("46112.586805556", "46112,586805556", "2026年3月31日 14:05"),
    ],
)
def test_a_time_may_follow(text: str) -> None:
    assert read_moment(text) == MOMENT


@pytest.mark.parametrize(
    "text",
    [
        *(
            "noon",
            "31.02.2026",
            "2026-13-01",
            "31 Foo 2026",
            "3/2026",
            "2026",
            "26-03-31",
            "31-03-26",
            "31.3.2026 25:00",
        ),
        *("123456", "1234", "12345678", "", "3/25.2026"),
    ],
)
def test_other_texts_are_no_dates(text: str) -> None:
    assert read_moment(text, order=DateOrder.DAY_FIRST) is None


@pytest.mark.parametrize(("year", "expected"), [("00", 2000), ("26", 2026), ("49", 2049), ("50", 1950), ("99", 1999)])
def test_two_digits_of_a_year_are_of_one_of_a_hundred_years(year: str, expected: int) -> None:
    moment = read_moment(f"1 Mar {year}")
    assert moment is not None
    assert moment.year == expected


@pytest.mark.parametrize("text", ["3/4/2026", "03/04/26", "3-4-2026", "3/4/2026 0:00"])
def test_numbers_alone_have_two_meanings(text: str) -> None:
    assert read_moment(text) is None
    assert read_moment(text, order=DateOrder.DAY_FIRST) == dt.datetime(2026, 4, 3)  # noqa: DTZ001
    assert read_moment(text, order=DateOrder.MONTH_FIRST) == dt.datetime(2026, 3, 4)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("cells", "order"),
    [
        (["3/4/2026", "2/20/2026"], DateOrder.MONTH_FIRST),
        (["3/4/2026", "20/2/2026"], DateOrder.DAY_FIRST),
        (["3/4/2026", "31/31/2026", "soon", "2/20/2026"], DateOrder.MONTH_FIRST),
        (["3/3/2026"], DateOrder.DAY_FIRST),
        (["2/20/2026", "2026-03-31", "31-Mar-26"], DateOrder.MONTH_FIRST),
        (["3/4/2026", "5/6/2026"], None),
    ],
)
def test_the_order_of_a_column_is_that_which_every_cell_allows(cells: list[str], order: DateOrder | None) -> None:
    reading = find_reading(label="Date", cells=enumerate(cells, start=2))
    assert (reading.order, reading.is_open) == (order, order is None)


def test_a_column_without_such_dates_asks_nothing() -> None:
    reading = find_reading(label="Date", cells=enumerate(["2026-03-31", "31.3.26", "46112", "soon", ""]))
    assert (reading.order, reading.is_open, reading.has_short_years) == (None, False, True)


@pytest.mark.parametrize(
    ("cells", "named"),
    [
        (["3/25/2026", "25/3/2026"], "Date: 25/3/2026 (line 3) has the day first, 3/25/2026 (line 2) the month."),
        (
            ["03/04/2026", "3/25/2026", "31-Mar-26", "25.03.2026", "2026-03-31 00:00:00"],
            (
                "Date mixes ways of writing dates, so nobody can tell what 03/04/2026 means: 03/04/2026 (line 2), "
                "3/25/2026 (line 3), 31-Mar-26 (line 4)."
            ),
        ),
        (
            ["2026-03-31", "03/04/2026"],
            (
                "Date mixes ways of writing dates, so nobody can tell what 03/04/2026 means: 2026-03-31 (line 2), "
                "03/04/2026 (line 3)."
            ),
        ),
    ],
)
def test_a_column_that_no_reading_fits_is_refused_with_its_lines(cells: list[str], named: str) -> None:
    with pytest.raises(MixedDatesError) as caught:
        find_reading(label="Date", cells=enumerate(cells, start=2))
    assert str(caught.value) == f"{named} Write all dates of the column in one way, best as 2026-03-31."
