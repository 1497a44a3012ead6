"""Calls to a CRM for a page that somebody waits for: it goes on when its time is up, whatever the CRM does."""

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
    """The time is up, and the call has not come to its end."""


class Deadline:
    """So many seconds from now on, shared by all calls that are made under it.

    Each call runs in a thread of its own, which must not use the database. A call that is given up ends by its own
    timeouts, unseen; its thread keeps neither the page nor the process from ending.
    """

    def __init__(self, *, seconds: float) -> None:
        self.seconds = seconds
        self._end = time.monotonic() + seconds

    def call(self, function: Callable[[], T]) -> T:
        """Make a call and wait for it; raises what it raises, or OutOfTimeError."""
        return self.wait(self.start(function))

    def start(self, function: Callable[[], T]) -> Future[T]:
        """Begin a call beside others."""
        outcome: Future[T] = Future()

        def work() -> None:
            try:
                result = function()
            except BaseException as error:  # noqa: BLE001  whoever waits raises it
                outcome.set_exception(error)
            else:
                outcome.set_result(result)

        threading.Thread(target=copy_context().run, args=(work,), name="crm-page", daemon=True).start()
        return outcome

    def wait(self, outcome: Future[T]) -> T:
        """Result of a call that was begun; raises what the call raises, or OutOfTimeError."""
        wait([outcome], timeout=max(0.0, self._end - time.monotonic()))
        if not outcome.done():
            raise OutOfTimeError(f"The {self.seconds:g} seconds that this may take are over.")
        return outcome.result()
