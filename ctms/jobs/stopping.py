"""Whether this worker was told to end (SIGTERM): its runs stop after their batch and hand over to another worker.

Celery tells the process that starts the others, which then waits for their tasks. One byte of memory that all of them
share lets these know too: no signal interrupts what a task is doing.
"""

from __future__ import annotations

import mmap
from typing import Any

# Made when the module is imported, before Celery forks the processes of its pool, which inherit it.
_shared = mmap.mmap(-1, 1)


def note_stop(**_signal: Any) -> None:
    """Note that the worker ends. This receives Celery's signal `worker_shutting_down`, within a signal handler."""
    _shared[0] = 1


def forget_stop() -> None:
    """Forget it: a worker that starts, or a test that ends, has not been told to end."""
    _shared[0] = 0


def is_stopping() -> bool:
    """Whether the worker to which this process belongs was told to end. False in a process that is no worker."""
    return _shared[0] == 1
