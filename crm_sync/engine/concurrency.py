"""Run calls to the CRM in a pool of threads, while the job's thread alone uses the database.

While it waits for calls, the job's thread renews the lease, so that a slow CRM or a long retry does not let another
worker take over.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Self, TypeVar

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_WAKE_SECONDS = 2.0


class RunAbortedError(VaultError):
    """The run ended while a call was waiting for a retry."""


class Pipeline:
    """Runs at most `width` calls at once.

    While it waits for calls, and between items, `keep_alive` and `stop_if_cancelled` are called in the job's thread, at
    least every two seconds; `stop_if_cancelled` raises the error that ends the run.
    """

    def __init__(self, *, width: int, keep_alive: Callable[[], None], stop_if_cancelled: Callable[[], None]) -> None:
        self._width = width
        self._keep_alive = keep_alive
        self._stop_if_cancelled = stop_if_cancelled
        self._aborted = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=width, thread_name_prefix="crm")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._aborted.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def stop_if_aborted(self) -> None:
        """Raise RunAbortedError if the run has ended; the client calls it in any thread that waits for a retry."""
        if self._aborted.is_set():
            raise RunAbortedError("The run ended while a call was waiting for a retry.")

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Run one call in the pool and return its result; raises what the call raises.

        For reads only: if the run is cancelled, the call is not waited for.
        """
        return self._wait_for(self._pool.submit(function))

    def map_unordered(
        self, items: Iterable[ItemT], function: Callable[[ItemT], ResultT]
    ) -> Iterator[tuple[ItemT, ResultT]]:
        """Yield each item with its result as soon as its call ends; the next item is taken when a thread is free.

        When a call or the making of an item fails, or the run is cancelled, the results of the other running calls are
        still yielded before the error is raised, so that everything the CRM has confirmed is written.
        """
        waiting: dict[Future[ResultT], ItemT] = {}
        failure: BaseException | None = None
        source = iter(items)
        exhausted = False
        while True:
            if failure is None and (waiting or not exhausted):
                failure = self._find_cancellation()
            while not exhausted and failure is None and len(waiting) < self._width:
                try:
                    item = next(source, None)
                except Exception as refusal:  # noqa: BLE001  raised below, after the results of calls under way
                    failure = refusal
                    break
                if item is None:
                    exhausted = True
                    break
                self._keep_alive()
                waiting[self._pool.submit(function, item)] = item
            if not waiting:
                break
            done = deque(wait(waiting, timeout=_WAKE_SECONDS, return_when="FIRST_COMPLETED").done)
            self._keep_alive()
            while done:
                future = done.popleft()
                item = waiting.pop(future)
                error = future.exception()
                if error is None:
                    yield item, future.result()
                else:
                    failure = failure or error
        if failure is not None:
            raise failure

    def _find_cancellation(self) -> VaultError | None:
        """Return the error of a cancelled run, or None. On cancellation, calls that wait for a retry are aborted."""
        try:
            self._stop_if_cancelled()
        except VaultError as cancelled:
            self._aborted.set()
            return cancelled
        return None

    def _wait_for(self, future: Future[ResultT]) -> ResultT:
        while not future.done():
            wait([future], timeout=_WAKE_SECONDS)
            self._keep_alive()
            self._stop_if_cancelled()
        return future.result()
