"""Run calls to the CRM in a pool of threads, while the job's thread alone uses the database.

While it waits for calls, the job's thread renews the lease, so that a slow CRM or a long retry does not let another
worker take over.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from ctms.core.errors import VaultError
from ctms.jobs.errors import WorkerStoppingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")

_WAKE_SECONDS = 2.0

# A thread whose call has ended has to wait for the job's thread to let go of the interpreter before it begins the next,
# once for each step of it: with Python's own 5 ms, calls stand still for a third of the time where the CRM is fast.
_USUAL_SWITCH_SECONDS: Final = sys.getswitchinterval()
_SWITCH_SECONDS: Final = 0.0005


class RunAbortedError(VaultError):
    """The run ended while a call was waiting for a retry."""


class _Calls(Generic[ItemT, ResultT]):
    """Calls handed over to threads; `waiting` are those whose results were not taken. None begins once one failed."""

    def __init__(self, *, pool: ThreadPoolExecutor, function: Callable[[ItemT], ResultT]) -> None:
        self.waiting: dict[Future[ResultT], ItemT] = {}
        self.has_ended = threading.Event()
        self._pool = pool
        self._function = function

    def hand_over(self, item: ItemT) -> None:
        # With the job's context, so that the lines that a call logs name job and run.
        self.waiting[self._pool.submit(copy_context().run, self._begin, item)] = item

    def withdraw(self) -> None:
        """Let none begin any more: those that threads have not begun are as if they had never been handed over."""
        self.has_ended.set()
        for future in list(self.waiting):
            if future.cancel():
                del self.waiting[future]

    def _begin(self, item: ItemT) -> ResultT:
        """Make the call, in a thread. Raises CancelledError if none is to begin any more, and what the call raises."""
        if self.has_ended.is_set():
            raise CancelledError
        try:
            return self._function(item)
        except BaseException:
            self.has_ended.set()
            raise


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
        sys.setswitchinterval(_SWITCH_SECONDS)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._aborted.set()
        # What writes was waited for before; a read that hangs must not keep a worker that is to end.
        self._pool.shutdown(wait=not isinstance(error, WorkerStoppingError), cancel_futures=True)
        sys.setswitchinterval(_USUAL_SWITCH_SECONDS)

    @property
    def has_ended(self) -> bool:
        """Whether the run has ended, or was cancelled."""
        return self._aborted.is_set()

    def stop_if_aborted(self) -> None:
        """Raise RunAbortedError if the run has ended; the client calls it in any thread that waits for a retry."""
        if self.has_ended:
            raise RunAbortedError("The run ended while a call was waiting for a retry.")

    def call(self, function: Callable[[], ResultT]) -> ResultT:
        """Run one call in the pool and return its result; raises what the call raises.

        For reads only: if the run is cancelled, the call is not waited for.
        """
        return self.wait_for(self.begin(function))

    def begin(self, function: Callable[[], ResultT]) -> Future[ResultT]:
        """Hand over a read, which runs as soon as a thread is free; see `wait_for`."""
        return self._pool.submit(copy_context().run, function)

    def wait_for(self, future: Future[ResultT]) -> ResultT:
        """Return the result of a read that was handed over; raises what it raises, and the error of a cancelled run."""
        while not future.done():
            wait([future], timeout=_WAKE_SECONDS)
            self._keep_alive()
            self._stop_if_cancelled()
        return future.result()

    def map_unordered(
        self, items: Iterable[ItemT], function: Callable[[ItemT], ResultT]
    ) -> Iterator[tuple[ItemT, ResultT]]:
        """Yield each item with its result as soon as its call ends.

        Items are made ahead, as many as there are threads, so that a thread whose call has ended begins the next while
        the job's thread is still writing results. When a call fails or the run is cancelled, no further call begins;
        when the making of an item fails, the calls of those made before it do. The results of all that began are
        yielded before the error is raised, so that everything the CRM has confirmed is written.
        """
        calls = _Calls(pool=self._pool, function=function)
        source = iter(items)
        failure: BaseException | None = None
        is_exhausted = False
        while True:
            if failure is None and (calls.waiting or not is_exhausted):
                failure = self._find_cancellation(calls)
            if failure is None and not is_exhausted:
                is_exhausted, failure = self._make_ahead(source, calls)
            if not calls.waiting:
                break
            done = deque(wait(calls.waiting, timeout=_WAKE_SECONDS, return_when="FIRST_COMPLETED").done)
            self._keep_alive()
            while done:
                future = done.popleft()
                item, error = calls.waiting.pop(future), future.exception()
                if error is not None:
                    failure = failure or (None if isinstance(error, CancelledError) else error)
                    continue
                yield item, future.result()
                # Writing the result renews the lease, which is how a run learns that it was cancelled.
                if calls.waiting:
                    failure = failure or self._find_cancellation(calls)
        if failure is not None:
            raise failure

    def _make_ahead(self, source: Iterator[ItemT], calls: _Calls[ItemT, ResultT]) -> tuple[bool, BaseException | None]:
        """Hand over items until as many wait as run; return whether there are no more, and what making them raised."""
        try:
            while len(calls.waiting) < 2 * self._width:
                item = next(source, None)
                if item is None:
                    return True, None
                self._keep_alive()
                calls.hand_over(item)
        except Exception as refusal:  # noqa: BLE001  raised by the caller, after the results of calls under way
            self._find_cancellation(calls)
            return False, refusal
        return False, None

    def _find_cancellation(self, calls: _Calls[ItemT, ResultT]) -> VaultError | None:
        """Return the error of a cancelled run, or None.

        On cancellation, calls that were not begun are withdrawn, and those that wait for a retry are aborted.
        """
        try:
            self._stop_if_cancelled()
        except VaultError as cancelled:
            calls.withdraw()
            self._aborted.set()
            return cancelled
        return None
