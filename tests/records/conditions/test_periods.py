"""Periods relative to today: their days, their words, and the names that addresses have held since before units."""

from __future__ import annotations

import datetime as dt

import pytest

from ctms.records.fields.comparing.periods import (
    PERIOD_CHOICES,
    describe_period,
    join_period,
    list_days,
    read_period,
    split_period,
)

CASES = [
    ("today", "2026-01-31", "2026-01-31", "today"),
    ("yesterday", "2026-01-30", "2026-01-30", "yesterday"),
    ("tomorrow", "2026-02-01", "2026-02-01", "tomorrow"),
    ("before_today", "None", "2026-01-30", "before today"),
    ("after_today", "2026-02-01", "None", "after today"),
    ("this_week", "2026-01-26", "2026-02-01", "this week"),
    ("last_week", "2026-01-19", "2026-01-25", "last week"),
    ("next_week", "2026-02-02", "2026-02-08", "next week"),
    ("this_month", "2026-01-01", "2026-01-31", "this month"),
    ("last_month", "2025-12-01", "2025-12-31", "last month"),
    ("next_month", "2026-02-01", "2026-02-28", "next month"),
    ("this_quarter", "2026-01-01", "2026-03-31", "this quarter"),
    ("last_quarter", "2025-10-01", "2025-12-31", "last quarter"),
    ("next_quarter", "2026-04-01", "2026-06-30", "next quarter"),
    ("this_year", "2026-01-01", "2026-12-31", "this year"),
    ("last_year", "2025-01-01", "2025-12-31", "last year"),
    ("next_year", "2027-01-01", "2027-12-31", "next year"),
    ("last_7_days", "2026-01-24", "2026-01-31", "in the last 7 days"),
    ("last_1_days", "2026-01-30", "2026-01-31", "in the last day"),
    ("next_2_weeks", "2026-01-31", "2026-02-14", "in the next 2 weeks"),
    ("last_2_months", "2025-11-30", "2026-01-31", "in the last 2 months"),
    ("next_1_months", "2026-01-31", "2026-02-28", "in the next month"),
    ("last_999_months", "1942-10-31", "2026-01-31", "in the last 999 months"),
]


@pytest.mark.parametrize(("period", "first", "last", "words"), CASES)
def test_days_and_words_of_periods(period: str, first: str, last: str, words: str) -> None:
    assert read_period(period) == period
    days = list_days(period=period, today=dt.date(2026, 1, 31))
    assert (str(days[0]), str(days[1]), describe_period(period)) == (first, last, words)
    assert join_period(*split_period(period)) == period


def test_every_period_that_is_chosen_by_name_is_tried() -> None:
    assert {name for name, _ in PERIOD_CHOICES} <= {name for name, *_ in CASES}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("past", "before_today"),
        ("future", "after_today"),
        ("last_7", "last_7_days"),
        ("last_30", "last_30_days"),
        ("last_90", "last_90_days"),
        ("next_7", "next_7_days"),
        ("next_30", "next_30_days"),
    ],
)
def test_names_of_old_addresses_are_read(old: str, new: str) -> None:
    assert read_period(old) == new


@pytest.mark.parametrize(
    "name", ["soon", "last_0_days", "last_1000_days", "last_-1_days", "next_٣_days", "in_3_days", ""]
)
def test_what_is_no_period_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match=r"is no period\. Enter one such as today"):
        read_period(name)
