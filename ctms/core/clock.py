"""The present time and how it is written. Every time in the Vault is time-zone aware and in UTC."""

import time
from datetime import UTC, datetime
from typing import cast

from django.db import connection


def get_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(tz=UTC)


def get_database_now() -> datetime:
    """Return the present time by the database's clock, the one clock that all processes share.

    SQLite runs inside this process, so that its clock is that of `get_now`.
    """
    return _ask_postgresql() if connection.vendor == "postgresql" else get_now()


def get_uptime() -> float:
    """Return the seconds since this machine started, including (on Linux) those that it slept. Nobody can set it."""
    return time.clock_gettime(time.CLOCK_BOOTTIME) if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic()


def get_steady_now() -> datetime:
    """Return a time that no setting of a clock moves: what it is worth is the difference between two of them."""
    return datetime.fromtimestamp(get_uptime(), tz=UTC)


def _ask_postgresql() -> datetime:
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        return cast("datetime", cursor.fetchone()[0])


def format_time(moment: datetime | None) -> str:
    """Return a time as people read it, e.g. `22 Nov 2026, 01:47 UTC`; `Never` for None."""
    return f"{write_moment(moment.astimezone(UTC))} UTC" if moment else "Never"


def write_moment(local: datetime) -> str:
    """Return a moment by the clocks of its own time zone, as pages write it, e.g. `22 Nov 2026, 01:47`."""
    return f"{local.day} {local:%b %Y, %H:%M}"
