"""Who waits for a lock of PostgreSQL in the database of this test; other workers of a run use others of its server."""

from __future__ import annotations

from django.db import connection


def count_waiting(*, kind: str = "") -> int:
    """Return how many connections to this database wait for a lock, or for one of that kind, such as `advisory`."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would be told what it was told before
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
            "AND backend_type = 'client backend' AND wait_event_type = 'Lock' AND %s IN ('', wait_event)",
            [kind],
        )
        waiting: int = cursor.fetchone()[0]
    return waiting
