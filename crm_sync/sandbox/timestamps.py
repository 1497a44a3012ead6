"""Moments as the CRM writes them. Stored as text in this same form, so that text order is time order.

Stamps have second precision (``.000``): rows of one second share one, as in the real CRM.
"""

import re
from datetime import UTC, date, datetime

DATETIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.\d+)?)?\s*(Z|z|[+-]\d\d:?\d\d)?",
    re.ASCII,
)
DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def format_datetime(moment: datetime) -> str:
    """Return an aware moment in UTC as ``2012-07-12T17:49:01.000+0000``."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def parse_datetime(value: str) -> datetime | None:
    """Read ISO 8601 with ``Z``, an offset with or without colon, or none (UTC); None when it is not a moment."""
    match = DATETIME.fullmatch(value)
    if match is None:
        return None
    year, month, day, hour, minute, second, zone = match.groups()
    offset = "+00:00" if zone in {None, "Z", "z"} else f"{zone[:3]}:{zone[-2:]}"
    try:
        return datetime.fromisoformat(f"{year}-{month}-{day}T{hour}:{minute}:{second or '00'}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parse_date(value: str) -> str | None:
    """Return ``YYYY-MM-DD`` when the text is a day of the calendar, also when a time follows it; otherwise None."""
    day = value[:10]
    if not DATE.fullmatch(day) or (value != day and parse_datetime(value) is None):
        return None
    try:
        date.fromisoformat(day)
    except ValueError:
        return None
    return day
