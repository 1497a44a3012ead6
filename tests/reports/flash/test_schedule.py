"""When flash reports are planned: by the clocks of any time zone, whatever they do."""

from __future__ import annotations

import calendar
import datetime as dt
import itertools
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ctms.core.zones import find_moment
from ctms.jobs.choices import Weekday
from ctms.reports.choices import FlashFrequency
from ctms.reports.flash.schedule import (
    Schedule,
    count_between,
    describe_schedule,
    find_last,
    find_next,
    list_next,
)
from ctms.reports.models import FlashReport

SECOND, MINUTE, DAY = dt.timedelta(seconds=1), dt.timedelta(minutes=1), dt.timedelta(days=1)

zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
days = st.dates(dt.date(1930, 1, 1), dt.date(2090, 1, 1))
times = st.times().map(lambda each: each.replace(second=0, microsecond=0))
schedules = st.builds(
    Schedule,
    frequency=st.sampled_from(FlashFrequency.values),
    time=times,
    zone=zones,
    weekday=st.sampled_from(Weekday.values),
    day=st.integers(1, 31),
)


def read_clock(moment: dt.datetime, zone: ZoneInfo) -> dt.datetime:
    return moment.astimezone(zone).replace(tzinfo=None)


@given(day=days, time=times, zone=zones)
@example(day=dt.date(2026, 3, 29), time=dt.time(2, 30), zone=ZoneInfo("Europe/Paris"))
@example(day=dt.date(2026, 10, 25), time=dt.time(2, 30), zone=ZoneInfo("Europe/Paris"))
@example(day=dt.date(2026, 10, 4), time=dt.time(2, 15), zone=ZoneInfo("Australia/Lord_Howe"))
@example(day=dt.date(2011, 12, 30), time=dt.time(6, 0), zone=ZoneInfo("Pacific/Apia"))
def test_a_moment_is_when_clocks_show_the_time_first_or_else_the_next_time_that_they_show(
    day: dt.date, time: dt.time, zone: ZoneInfo
) -> None:
    moment = find_moment(day=day, time=time, zone=zone)
    planned = dt.datetime.combine(day, time)
    assert read_clock(moment, zone) >= planned
    assert read_clock(moment - SECOND, zone) < planned
    assert all(read_clock(moment - minutes * MINUTE, zone) < planned for minutes in range(1, 36 * 60, 7))


@given(schedule=schedules, day=days, time=times)
def test_planned_moments_are_those_of_the_planned_days_and_each_comes_once(
    schedule: Schedule, day: dt.date, time: dt.time
) -> None:
    start = dt.datetime.combine(day, time, tzinfo=dt.UTC)
    found = list_next(schedule=schedule, after=start, count=4)
    assert [start, *found] == sorted({start, *found})
    every = [day + number * DAY for number in range(-2, 140)]
    planned = {
        FlashFrequency.DAILY: every,
        FlashFrequency.WEEKLY: [each for each in every if each.weekday() == schedule.weekday],
        FlashFrequency.MONTHLY: [
            each for each in every if each.day == min(schedule.day, calendar.monthrange(each.year, each.month)[1])
        ],
    }[FlashFrequency(schedule.frequency)]
    moments = sorted({find_moment(day=each, time=schedule.time, zone=schedule.zone) for each in planned})
    assert found == [each for each in moments if each > start][:4]
    # Forwards and backwards are the same moments, and none lies between two.
    for before, after in itertools.pairwise(found):
        assert find_last(schedule=schedule, until=after - SECOND) == before
        assert find_last(schedule=schedule, until=after) == after
    assert count_between(schedule=schedule, after=found[0], before=found[3]) == 2


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        ("Europe/Paris", dt.date(2026, 3, 29), "2026-03-29 01:00"),  # 02:30 does not exist: 03:00 is the next
        ("Europe/Paris", dt.date(2026, 10, 25), "2026-10-25 00:30"),  # 02:30 comes twice: the first
        ("America/New_York", dt.date(2026, 3, 8), "2026-03-08 07:00"),
        ("UTC", dt.date(2026, 3, 29), "2026-03-29 02:30"),
    ],
)
def test_half_past_two_on_days_on_which_clocks_change(zone: str, day: dt.date, expected: str) -> None:
    schedule = Schedule(frequency=FlashFrequency.DAILY, time=dt.time(2, 30), zone=ZoneInfo(zone))
    after = dt.datetime.combine(day, dt.time(0), tzinfo=ZoneInfo(zone))
    assert f"{find_next(schedule=schedule, after=after):%Y-%m-%d %H:%M}" == expected


def test_the_31st_is_the_last_day_of_months_that_are_shorter() -> None:
    schedule = Schedule(frequency=FlashFrequency.MONTHLY, time=dt.time(6), zone=ZoneInfo("UTC"), day=31)
    found = list_next(schedule=schedule, after=dt.datetime(2028, 1, 31, 6, tzinfo=dt.UTC), count=3)
    assert [each.date() for each in found] == [dt.date(2028, 2, 29), dt.date(2028, 3, 31), dt.date(2028, 4, 30)]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "Every day at 06:00 (UTC)"),
        (
            {"frequency": FlashFrequency.WEEKLY, "weekday": Weekday.FRIDAY, "time_zone": "America/New_York"},
            "Every Friday at 06:00 (America/New York)",
        ),
        ({"frequency": FlashFrequency.MONTHLY, "day": 15}, "On day 15 of every month at 06:00 (UTC)"),
        ({"frequency": FlashFrequency.MONTHLY, "day": 31}, "On the last day of every month at 06:00 (UTC)"),
    ],
)
def test_a_schedule_in_words(values: dict[str, object], words: str) -> None:
    assert describe_schedule(FlashReport(**values)) == words
