"""Calls to the CRM in the background, the database in the foreground.

Database connections belong to the thread that runs the job; calls run in a small pool. While it waits, the job's thread
keeps the lease alive, so that neither a slow CRM nor a long retry makes another worker take over.
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
    """At most `width` calls at once. `keep_alive` is called in the job's thread every few seconds of waiting.

    `stop_if_cancelled` is called there between batches and while a call is waited for, and raises what ends the run.
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
        """For the client to call while it waits for a retry, from any thread. Raises RunAbortedError."""
        if self._aborted.is_set():
            raise RunAbortedError("The run ended while a call was waiting for a retry.")

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Run one call in the pool and wait for it; raises what it raises. For reads: cancelled, they are left."""
        return self._wait_for(self._pool.submit(function))

    def map_unordered(
        self, items: Iterable[ItemT], function: Callable[[ItemT], ResultT]
    ) -> Iterator[tuple[ItemT, ResultT]]:
        """Yield each item with its result as soon as it is there; items are drawn only as calls become free.

        When a call fails, or the run is cancelled, the results of the others that are under way are still yielded
        before the error is raised: what the CRM has confirmed must be written down.
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
                    item = next(source)
                except StopIteration:
                    exhausted = True
                else:
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
        """What ends the run if somebody cancelled it; calls that wait for a retry are then called off."""
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
