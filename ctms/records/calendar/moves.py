"""Moves an entry of the calendar to another day, with all of its planned days."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ctms.records.access import ObjectAccess
from ctms.records.calendar.sources import CalendarSource


def explain_move(*, source: CalendarSource, access: ObjectAccess, record: Any) -> str:
    """Return why the user cannot move the record to another day; empty if they can."""
    if refusal := access.explain_edit(record):
        return refusal
    assigned = access.shape.get_type(getattr(record, "object_type", "")).fields
    if not source.moved or not source.is_movable(record) or not set(source.moved) <= set(assigned):
        return (
            f"{record} is not moved in the calendar: it has begun, is complete, or has no planned day. Edit it instead."
        )
    return ""


def shift_days(*, source: CalendarSource, access: ObjectAccess, record: Any, day: dt.date) -> dict[str, dt.date]:
    """Return the new value of each field that moves, by API name, if the record begins on the day.

    What has no value keeps none. Raises ValueError for days beyond the calendar.
    """
    present = {name: getattr(record, access.shape.get_field(name).attribute) for name in source.moved}
    step = day - present[source.moved[0]]
    try:
        return {name: value + step for name, value in present.items() if value is not None}
    except OverflowError:
        raise ValueError("Date: its last day would be too late. Enter an earlier day.") from None


def get_planned_day(*, source: CalendarSource, access: ObjectAccess, record: Any) -> dt.date:
    """Return the day on which the record is planned to begin."""
    day: dt.date = getattr(record, access.shape.get_field(source.moved[0]).attribute)
    return day
