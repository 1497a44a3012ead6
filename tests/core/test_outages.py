from __future__ import annotations

import errno

import psycopg
import pytest
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError, connection

from ctms.core.outages import find_outage_remedy


def build(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "remedy"),
    [
        (build(OperationalError(), psycopg.errors.DiskFull()), "The disk of the database is full"),
        (build(OperationalError(), psycopg.errors.TooManyConnections()), "lower DATABASE_POOL_SIZE"),
        (build(InternalError(), psycopg.errors.ReadOnlySqlTransaction()), "Point DATABASE_URL to the primary"),
        (OperationalError("database or disk is full"), "The disk of the database is full"),
        (OperationalError("attempt to write a readonly database"), "Give this user the right to write it"),
        (OperationalError("server closed the connection unexpectedly"), "See that it runs and can be reached"),
        (InterfaceError("connection already closed"), "See that it runs and can be reached"),
        (OSError(errno.ENOSPC, "No space left on device"), "A disk of this machine is full"),
        (OSError(errno.EMFILE, "Too many open files"), "ulimit -n"),
    ],
)
def test_an_outage_has_the_remedy_of_its_cause(error: Exception, remedy: str) -> None:
    assert remedy in find_outage_remedy(error)


@pytest.mark.parametrize(
    "error",
    [
        IntegrityError("duplicate key"),
        build(InternalError(), psycopg.errors.InFailedSqlTransaction()),
        FileNotFoundError(errno.ENOENT, "No such file"),
        RuntimeError("a fault of the Vault"),
    ],
)
def test_an_error_of_the_work_is_no_outage(error: Exception) -> None:
    assert find_outage_remedy(error) == ""


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_what_a_read_only_database_says_is_an_outage() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        try:
            with pytest.raises(InternalError) as raised:
                cursor.execute("DELETE FROM jobs_lease")
        finally:
            cursor.execute("SET default_transaction_read_only = off")
    assert "takes no writes" in find_outage_remedy(raised.value)
