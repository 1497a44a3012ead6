"""Reads and writes dates and times in the CRM's form. They are stored as such text, whose order is that of time.

Stamps are precise to the second (`.000`): rows written in the same second have the same one, as in the real CRM.
"""

import re
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime

DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(Z|z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def format_datetime(moment: datetime) -> str:
    """Return an aware datetime as text in UTC, such as `2012-07-12T17:49:01.000+0000`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_datetime(value: str) -> datetime | None:
    """Return the datetime of ISO 8601 text, or None for other text. Without an offset, the text is in UTC."""
    match = DATETIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    offset = "+00:00" if zone in {None, "Z", "z"} else f"{zone[:3]}:{zone[-2:]}"
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_http_date(value: str) -> datetime | None:
    """Return the datetime of an HTTP header such as `If-Modified-Since`, or None for other text."""
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        return None


def parse_date(value: str) -> str | None:
    """Return the date of a text that is a date or a datetime, as `YYYY-MM-DD`; None if it is neither."""
    day = value[:10]
    if not DATE.fullmatch(day) or (value != day and parse_datetime(value) is None):
        return None
    try:
        date.fromisoformat(day)
    except ValueError:
        return None
    return day


def format_value(kind: str, value: str | float | None) -> str | None:
    """Return a value as people of the locale en_US read it; the SQL function of `FORMAT`."""
    if value is None:
        return None
    if kind == "date" and isinstance(value, str):
        day = date.fromisoformat(value)
        return f"{day.month}/{day.day}/{day.year}"
    if kind == "datetime" and isinstance(value, str):
        moment = datetime.fromisoformat(value[:19])
        return f"{moment.month}/{moment.day}/{moment.year}, {moment.hour % 12 or 12}:{moment:%M %p}"
    if isinstance(value, int | float) and kind == "double":
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return str(value)
