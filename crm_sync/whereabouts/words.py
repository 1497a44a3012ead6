"""What is said of a record in a CRM: the head of its page and the entries of timelines begin with the same words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.formats import date_format

from ctms.records.fields.comparing.moments import to_zone

if TYPE_CHECKING:
    from datetime import datetime

    from connections.models import Connection


def show_moment(moment: datetime) -> str:
    """Return a moment in the user's time zone: the time of today, else day and time."""
    local = to_zone(moment)
    return date_format(local, "TIME_FORMAT" if local.date() == timezone.localdate() else "DATETIME_FORMAT")


def say_sent(
    crm: Connection, *, is_there: bool, since: datetime | None, has_failed: bool = False, is_behind: bool = False
) -> str:
    """Say where a record is that goes to a CRM, such as `In NA since 14:10`, without a full stop.

    `since` is when the CRM got it, None if that is unknown by now. A record that `is_behind` was changed since then;
    one that `has_failed` could not be transferred as it is.
    """
    if not is_there:
        return f"Not in {crm}: the transfer failed" if has_failed else f"Not in {crm}"
    place = f"In {crm} since {show_moment(since)}" if since else f"In {crm}"
    if has_failed:
        return f"{place}, but its last change failed"
    return f"{place}, without its last change" if is_behind else place


def say_received(crm: Connection, *, since: datetime | None, has_failed: bool = False) -> str:
    """Say that a record came from a CRM, and whether its last change there could not be read."""
    received = f"Received from {crm}"
    if since:
        is_of_today = to_zone(since).date() == timezone.localdate()
        received += f" {'at' if is_of_today else 'on'} {show_moment(since)}"
    return f"{received}, but its last change there failed" if has_failed else received


def say_deleted(crm: Connection) -> str:
    """Say that the CRM deleted its record."""
    return f"Deleted in {crm}"
