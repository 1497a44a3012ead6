"""The time that the database has for the statements of a report."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import OperationalError, connection, transaction

from ctms.reports.errors import ReportTooSlowError

_MEMORY = "32MB"  # for each step of a statement of PostgreSQL: groups are gathered without sorting their records first
_STEPS_BETWEEN_LOOKS = 100_000  # of SQLite's virtual machine: some milliseconds


@contextlib.contextmanager
def limit_time(seconds: float | None = None) -> Iterator[None]:
    """Stop statements of the `with` block that take longer. Raises ReportTooSlowError."""
    allowed = settings.REPORT_SECONDS if seconds is None else seconds
    limit = _limit_postgresql if connection.vendor == "postgresql" else _limit_sqlite
    try:
        with limit(allowed):
            yield
    except OperationalError as error:
        if not _was_stopped(error):
            raise
        raise ReportTooSlowError(
            f"The report was stopped after {allowed:g} seconds, before it was ready. "
            "Narrow its filters, or group by less."
        ) from error


@contextlib.contextmanager
def read_snapshot(seconds: float) -> Iterator[None]:
    """As `limit_time`, for a file: what the `with` block reads is the database of one moment.

    Within a transaction, it is what that transaction reads.
    """
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        # SQLite reads one moment as long as the rows of a statement are being read.
        with limit_time(seconds):
            yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        with limit_time(seconds):
            yield


@contextlib.contextmanager
def _limit_postgresql(seconds: float) -> Iterator[None]:
    # A transaction of its own, with which the limit and what was stopped end; one inside of another is a savepoint.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('statement_timeout'), current_setting('work_mem')")
        before = cursor.fetchone()
        _set_limits(cursor, timeout=str(max(1, int(seconds * 1000))), memory=_MEMORY)
        yield
        _set_limits(cursor, timeout=before[0], memory=before[1])


def _set_limits(cursor: Any, *, timeout: str, memory: str) -> None:
    cursor.execute(
        "SELECT set_config('statement_timeout', %s, true), set_config('work_mem', %s, true)", [timeout, memory]
    )


@contextlib.contextmanager
def _limit_sqlite(seconds: float) -> Iterator[None]:
    connection.ensure_connection()
    end = time.monotonic() + seconds
    connection.connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    finally:
        connection.connection.set_progress_handler(None, 0)


def _was_stopped(error: OperationalError) -> bool:
    return getattr(error.__cause__, "sqlstate", "") == "57014" or str(error) == "interrupted"
