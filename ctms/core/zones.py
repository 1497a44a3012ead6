"""When clocks of a time zone show a time, with daylight saving: times that they leave out, or show twice."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

_SECOND = dt.timedelta(seconds=1)


def find_zone(name: str) -> ZoneInfo:
    """Return the time zone of that name; UTC if it is empty or not known on this machine (any more)."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")


def is_zone(name: str) -> bool:
    """Whether this machine knows a time zone of that name."""
    return name in available_timezones()


def find_moment(*, day: dt.date, time: dt.time, zone: ZoneInfo) -> dt.datetime:
    """Return when clocks of the zone show at least this time of this day first, in UTC.

    A time that clocks leave out on that day is the next that they show; of one that they show twice it is the first.
    """
    local = dt.datetime.combine(day, time, tzinfo=zone)
    moment = local.astimezone(dt.UTC)
    if is_shown(moment, local):
        return moment
    # By the offsets after and before the clocks are set forward, the time lies before and after that moment.
    before, after = local.replace(fold=1).astimezone(dt.UTC), moment
    offset = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + _SECOND * ((after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def is_shown(moment: dt.datetime, local: dt.datetime) -> bool:
    """Whether clocks show this local time at all, given the moment that it was converted to."""
    return moment.astimezone(local.tzinfo).replace(tzinfo=None) == local.replace(tzinfo=None)


def list_moments(*, day: dt.date, time: dt.time, zone: ZoneInfo) -> list[dt.datetime]:
    """Return all moments at which clocks of the zone show exactly this time of this day: none, one or two."""
    found = []
    for fold in (0, 1):
        local = dt.datetime.combine(day, time, tzinfo=zone).replace(fold=fold)
        moment = local.astimezone(dt.UTC)
        if is_shown(moment, local) and moment not in found:
            found.append(moment)
    return found
