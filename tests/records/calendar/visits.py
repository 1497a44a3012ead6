"""Visits and days of December 2026, for the tests of the calendar."""

from __future__ import annotations

import datetime as dt
from typing import Any

from ctms.clinical.models import MonitoringEvent, StudySite
from tests.factories.clinical import MonitoringEventFactory


def day(number: int) -> dt.date:
    """Return a day of the month."""
    return dt.date(2026, 12, number)


def plan(site: StudySite, first: int, last: int | None = None, **values: Any) -> MonitoringEvent:
    """Create a visit that is planned for these days; without a last day it has no planned end."""
    end = day(last) if last is not None else None
    return MonitoringEventFactory.create(site=site, planned_start=day(first), planned_end=end, **values)
