"""Figures of a connection's API calls for its page: how many of those allowed are used, and how long one takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crm_sync.crm.call_times import find_time
from crm_sync.engine.call_figures import count_own_calls
from crm_sync.models import OrganisationProgress
from ctms.core.clock import format_time

if TYPE_CHECKING:
    from collections import Counter

    from connections.models import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimes:
    """How long calls took that were answered, in milliseconds: half of them, and 95 % of them, no longer than this."""

    calls: int
    median: float
    most: float


def summarise_times(times: Counter[int]) -> CallTimes | None:
    """Return the figures of a histogram of `crm_sync.crm.call_times`; None if it is empty."""
    median, most = find_time(times, share=0.5), find_time(times, share=0.95)
    if median is None or most is None:
        return None
    return CallTimes(calls=times.total(), median=median, most=most)


def describe_quota(connection: Connection) -> str:
    """Return how many API calls of the organisation are used, as far as the CRM said, and how many of them here."""
    progress = OrganisationProgress.objects.filter(connection=connection).first()
    if progress is None:
        return "Not known before the first transfer."
    own = f"{count_own_calls(progress):,} by this connection's transfers"
    if not progress.calls_allowed or progress.calls_used is None:
        return f"The CRM has not said how many calls it allows. In the last 24 hours {own}."
    share = round(100 * progress.calls_used / progress.calls_allowed)
    return (
        f"{progress.calls_used:,} of {progress.calls_allowed:,} calls used in 24 hours ({share} %), as the CRM said at "
        f"{format_time(progress.calls_read_at)}; {own}."
    )
