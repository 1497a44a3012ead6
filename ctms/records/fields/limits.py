"""Limits of the values of all fields."""

from __future__ import annotations

import datetime as dt

# A moment beyond these would leave the range of `datetime` in some time zone.
EARLIEST = dt.datetime(1, 1, 2, tzinfo=dt.UTC)
LATEST = dt.datetime(9999, 12, 30, 23, 59, 59, 999999, tzinfo=dt.UTC)
BEYOND = f"Enter a date and time between {EARLIEST.date()} and {LATEST.date()}."
# JSON readers round a number of more digits.
MOST_DIGITS = 15
