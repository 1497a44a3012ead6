"""Turns date literals such as `TODAY` and `LAST_N_DAYS:30` into half-open ranges of days in UTC.

Source: "Date Formats and Date Literals in WHERE", SOQL and SOSL Reference. Weeks begin on Sunday (the en_US locale).
"""

from datetime import date, timedelta

DAY = timedelta(days=1)


def shift_month(day: date, months: int) -> date:
    """Return the first day of the month `months` after the month of `day`."""
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(years, month + 1, 1)


def start_week(day: date) -> date:
    """Return the Sunday on or before `day`."""
    return day - timedelta(days=(day.weekday() + 1) % 7)


def start_unit(unit: str, today: date, steps: int) -> date:
    """Return the first day of the day, week, month, quarter or year that is `steps` units after that of `today`."""
    if unit == "DAY":
        return today + DAY * steps
    if unit == "WEEK":
        return start_week(today) + 7 * DAY * steps
    if unit == "MONTH":
        return shift_month(today, steps)
    if unit == "QUARTER":
        return shift_month(today, 3 * steps - (today.month - 1) % 3)
    return date(today.year + steps, 1, 1)


SINGLE = {
    "YESTERDAY": ("DAY", -1),
    "TODAY": ("DAY", 0),
    "TOMORROW": ("DAY", 1),
    **{
        f"{word}_{unit}": (unit, step)
        for word, step in (("LAST", -1), ("THIS", 0), ("NEXT", 1))
        for unit in ("WEEK", "MONTH", "QUARTER", "YEAR")
    },
}


def resolve_period(literal: str, *, today: date) -> tuple[date, date] | None:  # noqa: PLR0911  one return per kind
    """Return (first day, day after the last) of a date literal, or None when there is no such literal."""
    name, _, count_text = literal.upper().partition(":")
    if not count_text:
        if name in SINGLE:
            unit, step = SINGLE[name]
            return start_unit(unit, today, step), start_unit(unit, today, step + 1)
        if name == "LAST_90_DAYS":
            return today - 90 * DAY, today + DAY
        if name == "NEXT_90_DAYS":
            return today + DAY, today + 91 * DAY
        return None
    count = int(count_text)
    for unit in ("DAY", "WEEK", "MONTH", "QUARTER", "YEAR"):
        if name == f"LAST_N_{unit}S":
            end = today + DAY if unit == "DAY" else start_unit(unit, today, 0)
            return start_unit(unit, today, -count), end
        if name == f"NEXT_N_{unit}S":
            return start_unit(unit, today, 1), start_unit(unit, today, count + 1)
        if name == f"N_{unit}S_AGO":
            return start_unit(unit, today, -count), start_unit(unit, today, 1 - count)
    return None
