"""Schedules in a time zone: what daylight saving leaves out or shows twice is due once, and said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from ctms.jobs.choices import Frequency
from ctms.jobs.models import JobDefinition
from ctms.jobs.schedules import (
    compute_interval,
    compute_last_run,
    compute_next_run,
    describe_schedule,
    list_next_runs,
    list_planned_runs,
)

ZONES = ("Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC", "America/St_Johns")
MOMENTS = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds are naive
SCHEDULES = st.builds(
    JobDefinition,
    frequency=st.sampled_from([Frequency.HOURLY, Frequency.DAILY, Frequency.WEEKLY, Frequency.CRON]),
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    weekday=st.integers(0, 6),
    cron=st.sampled_from(["30 2 * * *", "*/20 * * * *", "15 1-3 * * sun", "0 0 * * *"]),
    time_zone=st.sampled_from(ZONES),
)

HALF_PAST_TWO = (
    {"frequency": "daily", "hour": 2, "minute": 30},
    {"frequency": "cron", "cron": "30 2 * * *"},
)


def plan(after: str, count: int = 3, **values: Any) -> list[tuple[str, str]]:
    definition = JobDefinition(time_zone="Europe/Berlin", **values)
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    return [(each.local, each.note) for each in list_planned_runs(schedule=definition, after=moment, count=count)]


@given(schedule=SCHEDULES, after=MOMENTS)
def test_next_and_last_agree_with_each_other(schedule: JobDefinition, after: datetime) -> None:
    following = compute_next_run(schedule=schedule, after=after)
    assert following > after
    assert compute_last_run(schedule=schedule, until=following) == following
    before = compute_last_run(schedule=schedule, until=after)
    assert before <= after
    assert compute_next_run(schedule=schedule, after=before) == following
    assert compute_interval(schedule=schedule, at=after) == following - before


@given(hour=st.integers(0, 23), minute=st.integers(0, 59), zone=st.sampled_from(ZONES), after=MOMENTS)
def test_a_daily_schedule_is_due_once_on_each_day_of_its_zone(
    hour: int, minute: int, zone: str, after: datetime
) -> None:
    schedule = JobDefinition(frequency=Frequency.DAILY, hour=hour, minute=minute, time_zone=zone)
    days = [each.astimezone(ZoneInfo(zone)).date() for each in list_next_runs(schedule=schedule, after=after, count=4)]
    assert [later - earlier for earlier, later in pairwise(days)] == [timedelta(days=1)] * 3


@pytest.mark.parametrize(
    "values", [{"frequency": "daily", "hour": 2, "minute": 30}, {"frequency": "cron", "cron": "30 2 * * *"}]
)
def test_a_time_that_is_left_out_runs_as_clocks_are_set_and_that_is_said(values: dict[str, Any]) -> None:
    found = plan("2026-03-28T12:00", **values)
    assert [local for local, _ in found] == [
        "Sun 29 Mar 2026, 03:00 CEST (UTC+2)",
        "Mon 30 Mar 2026, 02:30 CEST (UTC+2)",
        "Tue 31 Mar 2026, 02:30 CEST (UTC+2)",
    ]
    assert "left out" in found[0][1]
    assert found[1][1] == ""


@pytest.mark.parametrize(
    "values", [{"frequency": "daily", "hour": 2, "minute": 30}, {"frequency": "cron", "cron": "30 2 * * *"}]
)
def test_a_time_that_comes_twice_runs_once_and_that_is_said(values: dict[str, Any]) -> None:
    found = plan("2026-10-24T12:00", **values)
    assert [local for local, _ in found] == [
        "Sun 25 Oct 2026, 02:30 CEST (UTC+2)",
        "Mon 26 Oct 2026, 02:30 CET (UTC+1)",
        "Tue 27 Oct 2026, 02:30 CET (UTC+1)",
    ]
    assert "twice, and it runs once" in found[0][1]
    assert "set back" in found[1][1]


def test_a_schedule_of_every_hour_runs_in_each_hour_that_passes() -> None:
    locals_ = [local for local, _ in plan("2026-10-24T23:30", count=5, frequency="cron", cron="0 * * * *")]
    assert locals_ == [
        "Sun 25 Oct 2026, 02:00 CEST (UTC+2)",
        "Sun 25 Oct 2026, 02:00 CET (UTC+1)",
        "Sun 25 Oct 2026, 03:00 CET (UTC+1)",
        "Sun 25 Oct 2026, 04:00 CET (UTC+1)",
        "Sun 25 Oct 2026, 05:00 CET (UTC+1)",
    ]


def test_the_minute_of_an_hourly_schedule_is_that_of_its_zone() -> None:
    schedule = JobDefinition(frequency=Frequency.HOURLY, minute=0, time_zone="Asia/Kolkata")
    after = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    assert compute_next_run(schedule=schedule, after=after) == datetime(2026, 3, 2, 10, 30, tzinfo=UTC)


def test_an_unknown_time_zone_is_refused_with_what_to_choose() -> None:
    with pytest.raises(ValidationError, match="Europe/Paris"):
        JobDefinition(key="x", name="X", time_zone="Mars/Olympus").clean()


def test_the_zone_stands_in_the_words_of_a_schedule() -> None:
    schedule = JobDefinition(frequency=Frequency.DAILY, hour=6, time_zone="America/New_York")
    assert describe_schedule(schedule) == "Every day at 06:00 (America/New York)"
