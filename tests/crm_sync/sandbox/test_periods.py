"""Date literals of SOQL."""

from datetime import date

import pytest

from crm_sync.sandbox.soql.periods import resolve_period

WEDNESDAY = date(2026, 3, 11)


@pytest.mark.parametrize(
    ("literal", "first", "end"),
    [
        ("TODAY", date(2026, 3, 11), date(2026, 3, 12)),
        ("yesterday", date(2026, 3, 10), date(2026, 3, 11)),
        ("TOMORROW", date(2026, 3, 12), date(2026, 3, 13)),
        ("THIS_WEEK", date(2026, 3, 8), date(2026, 3, 15)),
        ("LAST_WEEK", date(2026, 3, 1), date(2026, 3, 8)),
        ("NEXT_MONTH", date(2026, 4, 1), date(2026, 5, 1)),
        ("LAST_MONTH", date(2026, 2, 1), date(2026, 3, 1)),
        ("THIS_QUARTER", date(2026, 1, 1), date(2026, 4, 1)),
        ("LAST_QUARTER", date(2025, 10, 1), date(2026, 1, 1)),
        ("LAST_YEAR", date(2025, 1, 1), date(2026, 1, 1)),
        ("LAST_N_DAYS:2", date(2026, 3, 9), date(2026, 3, 12)),
        ("NEXT_N_DAYS:2", date(2026, 3, 12), date(2026, 3, 14)),
        ("N_DAYS_AGO:2", date(2026, 3, 9), date(2026, 3, 10)),
        ("LAST_N_MONTHS:2", date(2026, 1, 1), date(2026, 3, 1)),
        ("NEXT_N_YEARS:1", date(2027, 1, 1), date(2028, 1, 1)),
        ("LAST_90_DAYS", date(2025, 12, 11), date(2026, 3, 12)),
        ("NEXT_90_DAYS", date(2026, 3, 12), date(2026, 6, 10)),
    ],
)
def test_a_literal_is_a_range_of_days(literal: str, first: date, end: date) -> None:
    assert resolve_period(literal, today=WEDNESDAY) == (first, end)


@pytest.mark.parametrize("literal", ["SOMETIME", "LAST_N_DECADES:3", "TODAY:1"])
def test_other_words_are_no_literals(literal: str) -> None:
    assert resolve_period(literal, today=WEDNESDAY) is None
