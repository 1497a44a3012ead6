"""Say of a connection that transfers as it happens how it stands with that, for its page and its state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connections.choices import Pace
from crm_sync.engine.pace import FAR
from crm_sync.units import LIVE_JOB_KEY
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time
from ctms.jobs.models import JobDefinition

if TYPE_CHECKING:
    from connections.models import Connection
    from crm_sync.models import LiveProgress


def describe_pace(connection: Connection) -> str:
    """Return how a connection stands that transfers as it happens; empty if it is set to hourly."""
    if connection.pace != Pace.AS_IT_HAPPENS:
        return ""
    if not JobDefinition.objects.filter(key=LIVE_JOB_KEY, status=RecordStatus.ACTIVE).exists():
        return "Hourly: it is set to as it happens, but the job CRM Transfer as It Happens is Inactive."
    if delay := describe_delay(connection):
        return delay
    progress: LiveProgress | None = getattr(connection, "live_progress", None)
    if progress is None or progress.fetched_at is None:
        return "As it happens: changes are sent within seconds, and calls are fetched every minute."
    idle = f" {progress.idle_runs:,} minutes with nothing to do took {progress.idle_calls:,} API calls."
    fetched = f"Calls were last fetched at {format_time(progress.fetched_at)}."
    return f"As it happens: changes are sent within seconds. {fetched}" + (idle if progress.idle_runs else "")


def describe_delay(connection: Connection) -> str:
    """Return why a connection that is set to as it happens waits now; empty if it does not, or is set to hourly."""
    progress: LiveProgress | None = getattr(connection, "live_progress", None)
    if connection.pace != Pace.AS_IT_HAPPENS or progress is None:
        return ""
    if progress.fell_back_at is not None:
        share = connection.quota_percent
        used = f"{progress.calls_used:,} of {progress.calls_allowed:,} API calls of the organisation are used"
        return (
            f"Back to hourly since {format_time(progress.fell_back_at)}, because "
            + (
                f"{used}, and it may use {share} %"
                if progress.calls_allowed
                else "API calls of the organisation run short"
            )
            + f". It is as it happens again as soon as the CRM says that less than {share * FAR:.0f} % are used."
        )
    if progress.ticks_to_wait and progress.failures:
        times = "The last attempt" if progress.failures == 1 else f"The last {progress.failures} attempts"
        return (
            f"{times} failed: {progress.last_error} It is tried again within {progress.ticks_to_wait} minutes, "
            "and by the regular transfers."
        )
    return ""
