"""The clock of this machine, set by tests. It goes on after each step; the sandbox, in this process, follows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta

import time_machine


class SteppedClock:
    """A clock that a test sets ahead and back."""

    def __init__(self) -> None:
        self._travels = ExitStack()

    def set(self, moment: datetime) -> None:
        """Show this time from now on."""
        self.stop()
        self._travels.enter_context(time_machine.travel(moment, tick=True))

    def step(self, **parts: float) -> None:
        """Set the clock ahead, or back, by the arguments of a timedelta."""
        self.set(datetime.now(UTC) + timedelta(**parts))

    def stop(self) -> None:
        """Show the true time again."""
        self._travels.close()


@contextmanager
def stay_at_noon() -> Iterator[None]:
    """Show noon of this day (UTC) and go on from there: no day ends within the `with` block, in hardly any zone."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    with time_machine.travel(noon, tick=True):
        yield
