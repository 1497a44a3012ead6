"""The broker of an installation without services: kombu's, of files, that survives files which hold nothing.

A full disk or a process that is killed while it writes leaves such files. kombu's own broker fails for each of them,
which ends a worker or keeps it from starting.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import structlog
from kombu.transport import filesystem

log = structlog.get_logger(__name__)

_PARTS_OF_A_MESSAGE = frozenset({"body", "headers", "properties"})


class Channel(filesystem.Channel):
    """Passes over what cannot be read: the database is the queue, and a lost message is sent again."""

    def _get(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        while True:  # until kombu raises Empty
            try:
                message = super()._get(queue, *args, **kwargs)
            except ValueError:
                message = None
            if isinstance(message, dict) and message.keys() >= _PARTS_OF_A_MESSAGE:
                return message
            log.warning("unreadable_message_file_dropped", queue=queue)

    def get_table(self, exchange: str) -> list[Any]:
        """Return which queues an exchange serves; none if its file cannot be read, until the next one is bound."""
        try:
            table: list[Any] = super().get_table(exchange)
        except (ValueError, TypeError):
            return []
        return table

    def _queue_bind(self, exchange: str, *args: Any, **kwargs: Any) -> None:
        try:
            super().get_table(exchange)
        except (ValueError, TypeError):
            file = Path(self.control_folder) / f"{exchange}.exchange"
            log.warning("unreadable_queue_table_dropped", file=file.name)
            file.unlink(missing_ok=True)
        super()._queue_bind(exchange, *args, **kwargs)


class Transport(filesystem.Transport):
    """The transport that the embedded settings name."""

    Channel = Channel
