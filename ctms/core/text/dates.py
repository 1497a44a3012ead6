"""Reads dates and times as people and spreadsheets write them.

Most ways of writing name the month or the order of day and month; they have one meaning. Numbers between slashes or
hyphens, such as `03/04/2026`, have two.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from enum import StrEnum

from ctms.core.text.month_names import find_month

# Two digits of a year mean one of the hundred years that begin here, as in today's spreadsheets.
FIRST_OF_SHORT_YEARS = 1950
_SERIAL_ZERO = dt.datetime(1899, 12, 30)  # noqa: DTZ001  a time on the wall, as all here

_TIME = (
    r"(?:(?:T|,?\s+)(?P<hour>\d{1,2})[:.](?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d+)?)?"
    r"\s*(?P<half>[AaPp]\.?[Mm]\.?)?)?$"
)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})" + _TIME)
_DOTTED = re.compile(r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4}|\d{2})" + _TIME)
_EAST_ASIAN = re.compile(r"(?P<year>\d{4})年(?P<month>\d{1,2})月(?P<day>\d{1,2})日" + _TIME)
_SLASHED = re.compile(r"(?P<first>\d{1,2})(?P<sign>[-/])(?P<next>\d{1,2})(?P=sign)(?P<year>\d{4}|\d{2})" + _TIME)
_WORD = r"(?P<name>[^\W\d_]{3,})\.?"
_BETWEEN = r"(?:\s*[-/.,]\s*|\s+(?:de\s+|del\s+)?)"
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th|er|º|\.)?"
_YEAR = r"(?P<year>\d{4}|\d{2})"
_NAMED = (
    re.compile(_DAY + rf"(?:{_BETWEEN})?" + _WORD + _BETWEEN + _YEAR + _TIME),
    re.compile(_WORD + _BETWEEN + _DAY + _BETWEEN + _YEAR + _TIME),
    re.compile(r"(?P<year>\d{4})" + _BETWEEN + _WORD + _BETWEEN + _DAY + _TIME),
)
_WEEKDAY = re.compile(r"^[^\W\d_]+\.?,\s+")
_LONG_YEAR = re.compile(r"(?<!\d)\d{4,5}(?!\d)")  # or a serial number
_SERIAL = re.compile(r"(?P<days>\d{5})(?:[.,](?P<part>\d+))?$")


class DateOrder(StrEnum):
    """In which order a column writes day and month."""

    DAY_FIRST = "day_first"
    MONTH_FIRST = "month_first"

    @property
    def label(self) -> str:
        return "day first" if self is DateOrder.DAY_FIRST else "month first"


@dataclass(frozen=True, slots=True, kw_only=True)
class NumericDate:
    """A date of numbers alone, such as `03/04/2026`, of which day and month are not known yet."""

    text: str
    numbers: tuple[int, int]
    year: int
    time: dt.time

    def read(self, order: DateOrder) -> dt.datetime | None:
        """Return the moment in that order; None if there is no such day."""
        day, month = self.numbers if order is DateOrder.DAY_FIRST else self.numbers[::-1]
        return _build(year=self.year, month=month, day=day, time=self.time)

    def list_orders(self) -> list[DateOrder]:
        """Return the orders in which this is a day."""
        return [order for order in DateOrder if self.read(order) is not None]

    @property
    def is_ambiguous(self) -> bool:
        """Whether the orders lead to different days."""
        return len({moment for order in DateOrder if (moment := self.read(order)) is not None}) > 1


def read_moment(text: str, *, order: DateOrder | None = None) -> dt.datetime | None:
    """Return the moment on the wall that a text means; None if it is no date, or needs an order to be one."""
    numeric = read_numeric(text)
    if numeric is not None:
        return numeric.read(order) if order else None
    return read_certain(text)


def read_numeric(text: str) -> NumericDate | None:
    """Return the numbers of a date such as `3/4/2026`; None for any other text.

    Two digits at both ends between hyphens, such as `26-03-31`, could begin with the year and are no date.
    """
    found = _SLASHED.match(text)
    time = _read_time(found) if found else None
    if found is None or time is None or (found["sign"] == "-" and len(found["year"]) == 2):  # noqa: PLR2004
        return None
    numbers = (int(found["first"]), int(found["next"]))
    return NumericDate(text=text, numbers=numbers, year=_read_year(found["year"]), time=time)


def has_short_year(text: str) -> bool:
    """Whether a date has a year of two digits; a serial number has none."""
    return _LONG_YEAR.search(text) is None


def read_certain(text: str) -> dt.datetime | None:
    """Return the moment on the wall that a text means, whatever the order of day and month; else None."""
    for pattern in (_YEAR_FIRST, _DOTTED, _EAST_ASIAN):
        if found := pattern.match(text):
            return _read_groups(found, month=int(found["month"]))
    if found := _SERIAL.match(text):
        return _read_serial(found)
    bare = _WEEKDAY.sub("", text)
    for pattern in _NAMED:
        if (found := pattern.match(bare)) and (month := find_month(found["name"])) is not None:
            return _read_groups(found, month=month)
    return None


def _read_groups(found: re.Match[str], *, month: int) -> dt.datetime | None:
    time = _read_time(found)
    return _build(year=_read_year(found["year"]), month=month, day=int(found["day"]), time=time) if time else None


def _read_serial(found: re.Match[str]) -> dt.datetime:
    part = float(f"0.{found['part'] or 0}")
    return _SERIAL_ZERO + dt.timedelta(days=int(found["days"]), seconds=round(part * 86400))


def _read_year(text: str) -> int:
    if len(text) > 2:  # noqa: PLR2004  digits
        return int(text)
    century, first = divmod(FIRST_OF_SHORT_YEARS, 100)
    return int(text) + 100 * (century + (int(text) < first))


def _read_time(found: re.Match[str]) -> dt.time | None:
    hour, half = int(found["hour"] or 0), (found["half"] or "")[:1].casefold()
    if half:
        hour = hour % 12 + 12 * (half == "p")
    try:
        return dt.time(hour, int(found["minute"] or 0), int(found["second"] or 0))
    except ValueError:
        return None


def _build(*, year: int, month: int, day: int, time: dt.time) -> dt.datetime | None:
    try:
        return dt.datetime.combine(dt.date(year, month, day), time)
    except ValueError:
        return None
