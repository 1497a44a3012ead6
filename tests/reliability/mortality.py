"""Simulates, in the test's own process, a process that dies at its k-th step.

A step is the moment just before or just after something that others can see: a call to the CRM, a commit (or a single
statement outside a transaction), a message to the broker. After its death every further step fails, too, so that
neither `finally` nor another thread finishes what a dead process could not.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest
from django.db import DEFAULT_DB_ALIAS, connections

from crm_sync.salesforce.http import Wire
from ctms.jobs import queue

_WRITES = ("INSERT", "UPDATE", "DELETE")


class ProcessDiedError(BaseException):
    """The simulated process is dead. It is no Exception, so that no `except Exception` handles it."""


class Mortal:
    """Counts the steps of one process and lets it die at step `dies_at`. `messages` are the run ids that it sent."""

    def __init__(self, *, dies_at: int | None = None) -> None:
        self.steps: list[str] = []
        self.messages: list[int] = []
        self._dies_at = dies_at
        self._is_dead = False
        self._lock = threading.Lock()
        self._database: Any = connections[DEFAULT_DB_ALIAS]

    def reach(self, step: str) -> None:
        """Record a step. Raises ProcessDiedError at the chosen step and at every later one."""
        with self._lock:
            if not self._is_dead:
                self.steps.append(step)
                self._is_dead = len(self.steps) == self._dies_at
            if self._is_dead:
                raise ProcessDiedError(step)

    @contextmanager
    def live(self) -> Iterator[None]:
        """Run the block as this process. The block ends where the process dies."""
        with (
            pytest.MonkeyPatch.context() as patch,
            self._database.execute_wrapper(self._execute),
            suppress(ProcessDiedError),
        ):
            patch.setattr(Wire, "send", self._wrap_call(Wire.send))
            patch.setattr(self._database, "_commit", self._commit)
            patch.setattr(queue, "send_message", self._send_message)
            yield

    def _wrap_call(self, send: Callable[..., Any]) -> Callable[..., Any]:
        def send_mortally(wire: Wire, call: Any, **options: Any) -> Any:
            label = f"{call.method} {call.target.partition('?')[0]}"
            self.reach(f"before {label}")
            answer = send(wire, call, **options)
            self.reach(f"after {label}")
            return answer

        return send_mortally

    def _commit(self) -> None:
        try:
            self.reach("before a commit")
        except ProcessDiedError:
            # The server rolls back what a dead client leaves open.
            self._database._rollback()
            raise
        type(self._database)._commit(self._database)
        self.reach("after a commit")

    def _execute(self, execute: Any, statement: str, parameters: Any, many: bool, context: dict[str, Any]) -> Any:
        if self._database.in_atomic_block or not statement.startswith(_WRITES):
            return execute(statement, parameters, many, context)
        label = " ".join(statement.split()[:3])
        self.reach(f"before {label}")
        result = execute(statement, parameters, many, context)
        self.reach(f"after {label}")
        return result

    def _send_message(self, run_id: int) -> None:
        self.reach("before a message")
        self.messages.append(run_id)
        self.reach("after a message")
