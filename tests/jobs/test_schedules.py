from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctms.jobs.choices import Frequency
from ctms.jobs.models import JobDefinition
from ctms.jobs.schedules import compute_interval, compute_next_run, list_next_runs

PERIODS = {
    Frequency.HOURLY: timedelta(hours=1),
    Frequency.DAILY: timedelta(days=1),
    Frequency.WEEKLY: timedelta(days=7),
}
DEFINITIONS = st.builds(
    JobDefinition,
    frequency=st.sampled_from(list(PERIODS)),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
)
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds are naive


def is_due(*, definition: JobDefinition, at: datetime) -> bool:
    """Whether the job is due at this minute; a simple implementation to compare with."""
    return (
        (at.second, at.microsecond, at.minute) == (0, 0, definition.minute)
        and (definition.frequency == Frequency.HOURLY or at.hour == definition.hour)
        and (definition.frequency != Frequency.WEEKLY or at.weekday() == definition.weekday)
    )


@given(definition=DEFINITIONS, after=MOMENTS)
def test_the_next_run_is_due_then_and_later_and_none_is_skipped(definition: JobDefinition, after: datetime) -> None:
    found = compute_next_run(schedule=definition, after=after)
    period = PERIODS[Frequency(definition.frequency)]
    assert is_due(definition=definition, at=found)
    assert found - period <= after < found


@given(definition=DEFINITIONS, after=MOMENTS)
def test_after_a_run_the_next_is_one_period_later(definition: JobDefinition, after: datetime) -> None:
    first = compute_next_run(schedule=definition, after=after)
    assert compute_next_run(schedule=definition, after=first) == first + PERIODS[Frequency(definition.frequency)]


@pytest.mark.parametrize(
    ("frequency", "after", "expected"),
    [
        ("hourly", "2026-03-02T10:14:59.999999", "2026-03-02T10:15:00"),
        ("hourly", "2026-03-02T10:15:00", "2026-03-02T11:15:00"),
        ("hourly", "2026-12-31T23:15:00", "2027-01-01T00:15:00"),
        ("daily", "2026-03-02T06:14:00", "2026-03-02T06:15:00"),
        ("daily", "2028-02-28T06:15:00", "2028-02-29T06:15:00"),
        ("weekly", "2026-03-02T06:15:00", "2026-03-04T06:15:00"),
        ("weekly", "2026-03-04T06:14:00", "2026-03-04T06:15:00"),
        ("weekly", "2026-03-04T06:15:00", "2026-03-11T06:15:00"),
        ("weekly", "2026-03-05T00:00:00", "2026-03-11T06:15:00"),
    ],
)
def test_a_job_at_a_quarter_past_six_on_wednesdays(frequency: str, after: str, expected: str) -> None:
    definition = JobDefinition(frequency=frequency, minute=15, hour=6, weekday=2)
    found = compute_next_run(schedule=definition, after=datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@given(definition=DEFINITIONS, at=MOMENTS)
def test_the_interval_of_a_plain_schedule_is_its_period(definition: JobDefinition, at: datetime) -> None:
    assert compute_interval(schedule=definition, at=at) == PERIODS[Frequency(definition.frequency)]


def test_the_next_runs_follow_one_another() -> None:
    definition = JobDefinition(frequency=Frequency.CRON, cron="0 9 * * mon-fri")
    found = list_next_runs(schedule=definition, after=datetime(2026, 3, 5, 9, tzinfo=UTC), count=3)
    assert [f"{moment:%a %d %H:%M}" for moment in found] == ["Fri 06 09:00", "Mon 09 09:00", "Tue 10 09:00"]


def test_the_interval_of_a_cron_schedule_is_the_one_around_a_moment() -> None:
    definition = JobDefinition(frequency=Frequency.CRON, cron="0 9 * * mon-fri")
    friday, monday = datetime(2026, 3, 6, 9, tzinfo=UTC), datetime(2026, 3, 9, 9, tzinfo=UTC)
    assert compute_interval(schedule=definition, at=friday) == timedelta(days=3)
    assert compute_interval(schedule=definition, at=monday - timedelta(seconds=1)) == timedelta(days=3)
    assert compute_interval(schedule=definition, at=monday) == timedelta(days=1)
