"""Calls functions at the same time, each on a database connection of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connection


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
