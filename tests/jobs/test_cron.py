"""Cron expressions: the computed next time is the first matching minute that a slow search finds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctms.jobs.cron import CronError, parse_cron

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  bounds are naive
MINUTE = timedelta(minutes=1)


def parts(lowest: int, highest: int) -> st.SearchStrategy[str]:
    """Generate one field of a cron expression: all, every nth, a number, a range or a list."""
    number = st.integers(lowest, highest)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    single = number.map(str)
    return st.one_of(
        st.just("*"),
        st.integers(1, highest - lowest).map(lambda step: f"*/{step}"),
        single,
        span,
        st.lists(st.one_of(single, span), min_size=2, max_size=3).map(",".join),
    )


EXPRESSIONS = st.tuples(parts(0, 59), parts(0, 23), parts(1, 28), parts(1, 12), parts(0, 6)).map(" ".join)


def allows(text: str, value: int, lowest: int) -> bool:
    """Whether a field allows a number; a simple implementation to compare with."""
    for part in text.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if span == "*":
            if (value - lowest) % int(step or 1) == 0:
                return True
        elif int(first) <= value <= int(last or first):
            return True
    return False


def matches(expression: str, moment: datetime) -> bool:
    minute, hour, day, month, weekday = expression.split()
    in_month, in_week = allows(day, moment.day, 1), allows(weekday, moment.isoweekday() % 7, 0)
    either = not day.startswith("*") and not weekday.startswith("*")
    return (
        allows(minute, moment.minute, 0)
        and allows(hour, moment.hour, 0)
        and allows(month, moment.month, 1)
        and (in_month or in_week if either else in_month and in_week)
    )


@given(expression=EXPRESSIONS, moment=MOMENTS)
def test_the_next_time_is_strictly_later_on_a_full_minute_and_matches(expression: str, moment: datetime) -> None:
    try:
        found = parse_cron(expression).find_next(moment)
    except CronError:
        return  # none comes within forty years
    assert found > moment
    assert (found.second, found.microsecond) == (0, 0)
    assert matches(expression, found)


@given(expression=EXPRESSIONS, moment=MOMENTS)
def test_the_last_time_is_followed_by_the_next_and_nothing_between(expression: str, moment: datetime) -> None:
    cron = parse_cron(expression)
    last = cron.find_last(moment)
    assert last <= moment
    assert matches(expression, last)
    assert cron.find_next(last) == cron.find_next(moment)


@given(
    expression=st.tuples(parts(0, 59), parts(0, 23), st.just("*"), st.just("*"), parts(0, 6)).map(" ".join),
    moment=MOMENTS,
)
def test_no_matching_minute_is_skipped(expression: str, moment: datetime) -> None:
    found = parse_cron(expression).find_next(moment)
    minute = moment.replace(second=0, microsecond=0) + MINUTE
    for _ in range(24 * 60):
        if minute >= found:
            break
        assert not matches(expression, minute)
        minute += MINUTE


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("* * * * *", "2026-03-02T10:14:59.999999", "2026-03-02T10:15"),
        ("* * * * *", "2026-03-02T10:15", "2026-03-02T10:16"),
        ("*/15 * * * *", "2026-03-02T10:45", "2026-03-02T11:00"),
        ("30 6 * * mon-fri", "2026-03-06T06:30", "2026-03-09T06:30"),
        ("30 6 * * MON-FRI", "2026-03-06T06:30", "2026-03-09T06:30"),
        ("0 0 29 feb *", "2026-03-02T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2096-02-29T00:00", "2104-02-29T00:00"),
        ("0 0 31 * *", "2026-03-31T00:00", "2026-05-31T00:00"),
        ("0 0 13 * fri", "2026-03-02T00:00", "2026-03-06T00:00"),
        ("0 0 */2 * fri", "2026-03-02T00:00", "2026-03-13T00:00"),
        ("5 22-23,0-2 * * *", "2026-03-02T02:05", "2026-03-02T22:05"),
        ("0 6 * * 7", "2026-03-02T00:00", "2026-03-08T06:00"),
        ("0 6 * * 5-7", "2026-03-07T06:00", "2026-03-08T06:00"),
        ("59 23 31 12 *", "2026-12-31T23:59", "2027-12-31T23:59"),
    ],
)
def test_times_of_known_expressions(expression: str, after: str, expected: str) -> None:
    found = parse_cron(expression).find_next(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert found == datetime.fromisoformat(expected).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("", "Enter five fields, parted by spaces: minute, hour, day of month, month and day of week, e.g."),
        ("* * * *", "Enter five fields"),
        ("* * * * * *", "Enter five fields"),
        ("60 * * * *", "The minute '60' is not understood. Enter numbers from 0 to 59, "),
        ("jan * * * *", "The minute 'jan'"),
        ("* 24 * * *", "The hour '24'"),
        ("* * 0 * *", "The day of month '0' is not understood. Enter numbers from 1 to 31"),
        ("* * * 13 *", "The month '13' is not understood. Enter numbers from 1 to 12 or jan to dec"),
        (
            "* * * * 8",
            r"The day of week '8' is not understood. Enter numbers from 0 to 7 \(0 and 7 are Sunday\) or sun to sat",
        ),
        ("* * * * jan", "The day of week 'jan'"),
        ("*/0 * * * *", r"The minute '\*/0'"),
        ("1-5x * * * *", "The minute '1-5x'"),
        ("5/15 * * * *", "The minute '5/15'"),
        ("1,,2 * * * *", "The minute '1,,2'"),
        ("-1 * * * *", "The minute '-1'"),
        ("\u0661 * * * *", "The minute"),
        (
            "0 5-1 * * *",
            "The hour '5-1' ends before it begins. Enter the smaller number first, or two ranges: 5-23,0-1.",
        ),
        ("0 0 * * fri-mon", "The day of week 'fri-mon' ends before it begins. .* or two ranges: 5-6,0-1."),
        ("*/90 * * * *", r"The minute '\*/90' takes steps of 90 from 0 to 59, so that only 0 is left. Enter 0 if"),
        ("0 */24 * * *", r"The hour '\*/24' takes steps of 24 from 0 to 23, so that only 0 is left."),
        ("0 0 30 2 *", "No such day ever comes. Change the day of month or the month."),
    ],
)
def test_what_is_no_cron_expression_is_refused_with_what_to_enter(expression: str, message: str) -> None:
    with pytest.raises(CronError, match=message):
        parse_cron(expression)
