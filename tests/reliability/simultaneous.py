"""Calls functions at the same time, each on a database connection of its own; holds what others wait for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import psycopg
from django.db import connection

from tests.reliability.conftest import build_database_url


def call_at_once(functions: Sequence[Callable[[], Any]]) -> list[Any]:
    """Call all functions at the same moment. Return what each returned or raised, in order."""
    barrier = Barrier(len(functions))

    def call(function: Callable[[], Any]) -> Any:
        try:
            connection.ensure_connection()
            barrier.wait()
            return function()
        except Exception as error:  # noqa: BLE001  the caller examines it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(functions)) as executor:
        return list(executor.map(call, functions))


@contextmanager
def hold(statement: str) -> Iterator[None]:
    """Hold the locks of `statement` on a connection of its own while the block runs."""
    with psycopg.connect(build_database_url()) as blocker:
        blocker.execute(statement.encode())
        yield
        blocker.rollback()
