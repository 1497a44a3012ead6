"""Calls to a CRM while a user waits for a page: the page goes on when its time is up, whatever the CRM does."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class OutOfTimeError(VaultError):
    """The time is up before the call has ended."""


class Deadline:
    """A time limit of `seconds` from now, shared by all calls that are made through it.

    Each call runs in a thread of its own, which must not use the database. A call that is not waited for any more ends
    by its own timeouts; its daemon thread delays neither the page nor the end of the process.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def call(self, function: Callable[[], T]) -> T:
        """Make a call and return its result; raises what the call raises, or OutOfTimeError."""
        return self.wait(self.start(function))

    def start(self, function: Callable[[], T]) -> Future[T]:
        """Start a call in a thread of its own and return its future."""
        outcome: Future[T] = Future()

        def work() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001  `wait` raises it again
                outcome.set_exception(error)
            else:
                outcome.set_result(result)

        threading.Thread(target=copy_context().run, args=(work,), name="crm-page", daemon=True).start()
        return outcome

    def wait(self, outcome: Future[T]) -> T:
        """Return the result of a started call; raises what the call raises, or OutOfTimeError."""
        wait([outcome], timeout=max(0.0, self._end - time.monotonic()))
        if not outcome.done():
            raise OutOfTimeError(f"The {self.seconds:g} seconds that this may take are over.")
        return outcome.result()
