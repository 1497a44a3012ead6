"""Who waits for a lock in this database is counted, also within a transaction, and nobody of another database is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from time import monotonic, sleep

import psycopg
import pytest
from django.db import connection, transaction

from tests.locks import count_waiting
from tests.reliability.conftest import build_database_url

pytestmark = [pytest.mark.postgresql, pytest.mark.django_db(transaction=True)]

LOCK = "SELECT pg_advisory_lock(7081)"


@contextmanager
def somebody_waiting(url: str) -> Iterator[None]:
    """Let somebody wait for a lock in the database of that URL."""
    with psycopg.connect(url, autocommit=True) as holder, psycopg.connect(url, autocommit=True) as other:
        holder.execute(LOCK)
        thread = Thread(target=other.execute, args=(LOCK,))
        thread.start()
        try:
            end = monotonic() + 60
            waits = "SELECT wait_event = 'advisory' FROM pg_stat_activity WHERE pid = %s"
            while holder.execute(waits, [other.info.backend_pid]).fetchone() != (True,):
                assert monotonic() < end
                sleep(0.02)
            yield
        finally:
            holder.execute("SELECT pg_advisory_unlock_all()")
            thread.join()


def test_who_waits_in_this_database_is_counted_within_a_transaction_too() -> None:
    with transaction.atomic():
        assert count_waiting() == 0
        with somebody_waiting(build_database_url()):
            assert (count_waiting(), count_waiting(kind="advisory"), count_waiting(kind="relation")) == (1, 1, 0)
        assert count_waiting() == 0


def test_who_waits_in_another_database_is_not_counted() -> None:
    name = connection.settings_dict["NAME"]
    with somebody_waiting(build_database_url().removesuffix(name) + "postgres"):
        assert count_waiting() == 0
