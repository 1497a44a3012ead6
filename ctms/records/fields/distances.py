"""How far away a day is, in words."""

from __future__ import annotations

import datetime as dt

from django.utils import timezone

_WORDS = {-1: "yesterday", 0: "today", 1: "tomorrow"}
_FARTHEST = 365


def tell_distance(day: dt.date) -> str:
    """Return the distance of a day from today by the user's time zone, such as `18 days ago` or `in 3 days`.

    Empty for days more than a year away.
    """
    days = (day - timezone.localdate()).days
    if abs(days) > _FARTHEST:
        return ""
    if days in _WORDS:
        return _WORDS[days]
    return f"in {days} days" if days > 0 else f"{-days} days ago"
