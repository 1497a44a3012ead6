"""Name of, and room for, a copy of a connection."""

from __future__ import annotations

from connections.models import MAX_CONNECTIONS, Connection

_NAME_LENGTH = 128


def has_room_for_connection() -> bool:
    """Whether one more connection can be created now. The service that writes it checks again."""
    return Connection.objects.count() < MAX_CONNECTIONS


def suggest_copy_name(source: Connection) -> str:
    """Return an unused name: that of the source and "(copy)", with a number from the second copy on."""
    taken = set(Connection.objects.values_list("name", flat=True))
    for number in range(1, len(taken) + 2):
        ending = " (copy)" if number == 1 else f" (copy {number})"
        name = source.name[: _NAME_LENGTH - len(ending)] + ending
        if name not in taken:
            break
    return name
