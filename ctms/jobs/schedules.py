"""When a job is due: pure functions of its definition and the time."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from ctms.jobs.choices import Frequency

if TYPE_CHECKING:
    from ctms.jobs.models import JobDefinition


def compute_next_run(*, definition: JobDefinition, after: datetime) -> datetime:
    """The first due time strictly after `after` (UTC). Slots missed in between are not made up for."""
    if definition.frequency == Frequency.HOURLY:
        slot = after.replace(minute=definition.minute, second=0, microsecond=0)
        step = timedelta(hours=1)
    else:
        slot = after.replace(hour=definition.hour, minute=definition.minute, second=0, microsecond=0)
        step = timedelta(days=1)
        if definition.frequency == Frequency.WEEKLY:
            slot += timedelta(days=(definition.weekday - slot.weekday()) % 7)
            step = timedelta(days=7)
    return slot if slot > after else slot + step
