"""How long a retry waits, and how long a run may wait in all."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from crm_sync.salesforce import retry
from crm_sync.salesforce.retry import RetryBudget, choose_delay, parse_http_date, parse_retry_after

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """A monotonic clock that moves only when it is advanced."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(retry, "time", clock)
    return clock


@given(attempt=st.integers(1, 50), base=st.floats(0, 5), cap=st.floats(0, 60))
def test_a_delay_lies_between_nothing_and_its_growing_bound(attempt: int, base: float, cap: float) -> None:
    assert 0 <= choose_delay(attempt=attempt, base=base, cap=cap, asked=None) <= min(cap, base * 2 ** (attempt - 1))


def test_delays_are_spread_over_the_whole_range() -> None:
    delays = [choose_delay(attempt=4, base=1.0, cap=60.0, asked=None) for _ in range(500)]
    assert {int(delay) for delay in delays} == set(range(8))


def test_a_delay_is_never_shorter_than_the_crm_asked() -> None:
    assert choose_delay(attempt=1, base=1.0, cap=60.0, asked=90.0) == 90.0


def test_the_budget_is_spent_by_waits_one_after_the_other(clock: Clock) -> None:
    budget = RetryBudget(10.0)
    assert budget.reserve(6.0) is True
    clock.seconds += 6.0
    assert budget.reserve(5.0) is False
    assert budget.reserve(4.0) is True


def test_threads_that_wait_together_spend_the_time_once(clock: Clock) -> None:
    budget = RetryBudget(10.0)
    assert [budget.reserve(8.0) for _ in range(4)] == [True] * 4
    clock.seconds += 7.0
    assert budget.reserve(3.0) is True
    clock.seconds += 3.0
    assert budget.reserve(0.1) is False


def test_time_in_which_nobody_waits_costs_nothing(clock: Clock) -> None:
    budget = RetryBudget(2.0)
    assert budget.reserve(1.0) is True
    clock.seconds += 3600.0
    assert budget.reserve(1.0) is True
    assert budget.reserve(1.5) is False


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("120", 120.0), (" 0 ", 0.0), (None, None), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("²", None)],
)
def test_retry_after_is_read_as_seconds_or_not_at_all(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, answered_at=NOW) == seconds


def test_retry_after_as_a_date_counts_from_the_crms_own_clock() -> None:
    with time_machine.travel(NOW + timedelta(days=400), tick=False):
        assert parse_retry_after("Sun, 01 Mar 2026 12:00:30 GMT", answered_at=NOW) == 30.0
        assert parse_retry_after("Sun, 01 Mar 2026 11:59:00 GMT", answered_at=NOW) == 0.0


def test_retry_after_as_a_date_counts_from_here_where_the_crm_tells_no_time() -> None:
    with time_machine.travel(NOW, tick=False):
        assert parse_retry_after("Sun, 01 Mar 2026 12:00:30 GMT", answered_at=None) == 30.0


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Sun, 01 Mar 2026 12:00:00 GMT", NOW),
        ("Sun, 01 Mar 2026 12:00:00 -0000", NOW),
        ("Sun, 01 Mar 2026 14:00:00 +0200", NOW),
        ("yesterday", None),
        (None, None),
    ],
)
def test_dates_are_read_in_utc(value: str | None, moment: datetime | None) -> None:
    assert parse_http_date(value) == moment
