"""Which state of a connection is trouble that people are told of, by its thresholds."""

from __future__ import annotations

from datetime import datetime, timedelta

from crm_sync.choices import ConnectionStateKey
from crm_sync.diagnostics.states import ConnectionState
from crm_sync.models import AlertSettings
from ctms.core.clock import format_time

# Somebody decided that nothing is transferred: neither trouble nor recovery.
DELIBERATE = (ConnectionStateKey.PAUSED, ConnectionStateKey.INACTIVE)
# What holds without a run that ends, so that it is told without counting runs.
WITHOUT_RUNS = (ConnectionStateKey.SILENT, ConnectionStateKey.UNFINISHED)


def judge_level(
    *, state: ConnectionState, settings: AlertSettings, now: datetime
) -> tuple[ConnectionStateKey, str] | None:
    """Return the state to be told, OK if all is well, and its sentence; None if there is nothing to judge.

    Below its threshold, failing of records counts as OK, and so does silence.
    """
    if state.key in DELIBERATE:
        return None
    if state.key == ConnectionStateKey.UNFINISHED and state.last_ended_at is None:
        return None  # it is still being set up
    if settings.silent_hours is not None:
        ended = state.last_ended_at
        if ended is not None and now - ended > timedelta(hours=settings.silent_hours):
            hours = f"{settings.silent_hours} hour{'' if settings.silent_hours == 1 else 's'}"
            why = state.sentence if state.key == ConnectionStateKey.SILENT else f"The last was {format_time(ended)}."
            return ConnectionStateKey.SILENT, f"No run has ended for more than {hours}. {why}"
        if state.key == ConnectionStateKey.SILENT:
            return ConnectionStateKey.OK, state.sentence
    if state.key == ConnectionStateKey.WITH_EXCEPTIONS and state.failed_percent <= settings.percent:
        return ConnectionStateKey.OK, state.sentence
    return state.key, state.sentence
