"""What the commands share: which connections they are for, a console where Django wants it, and how they wait."""

from __future__ import annotations

import time
from typing import IO, TYPE_CHECKING, cast

from django.conf import settings
from rich.console import Console

from connections.models import Connection
from crm_sync.management.reporting import UsageError
from ctms.core.choices import RecordStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.core.management.base import OutputWrapper


def find_connections(name: str | None) -> list[Connection]:
    """Return the connection with this name or API name, or all active ones. Raises UsageError if there is none."""
    if name is None:
        found = list(Connection.objects.filter(status=RecordStatus.ACTIVE))
        if not found:
            raise UsageError("There is no active connection. Create one under Connections.")
        return found
    found = list(Connection.objects.filter(name=name) or Connection.objects.filter(api_name=name))
    if not found:
        known = ", ".join(Connection.objects.values_list("name", flat=True)) or "none"
        raise UsageError(f"There is no connection {name!r}. Connections: {known}.")
    return found


def build_console(stdout: OutputWrapper, *, no_color: bool, is_quiet: bool = False) -> Console:
    """Return a console on a command's output, on which a quiet command prints nothing."""
    # Django's wrapper ends every write with a newline, which breaks a progress bar, so the stream itself is used.
    return Console(file=cast("IO[str]", stdout._out), no_color=no_color, quiet=is_quiet)  # noqa: SLF001


def build_pause(*, connection: Connection, console: Console) -> Callable[[], None]:
    """Return what waits a second while it shows whether another run's worker is dead; the first time it says so."""
    said: list[str] = []

    def pause() -> None:
        if not said:
            said.append(
                f"{connection.name}: a run of it has not ended. Watching whether it is still at work, for "
                f"{settings.JOB_LEASE_SECONDS} seconds at most."
            )
            console.print(said[0], highlight=False)
        time.sleep(1)

    return pause
