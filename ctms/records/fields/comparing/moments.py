"""Moments in time zones."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone


def to_zone(moment: dt.datetime, zone: dt.tzinfo | None = None) -> dt.datetime:
    """Convert a moment to a time zone (default: the active one); leave it if that exceeds the range of `datetime`."""
    try:
        return moment.astimezone(zone or timezone.get_current_timezone())
    except OverflowError:
        return moment
