"""Lets apps react to changes of records in the same transaction, whichever way a change came in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ctms.core.models import AuditedModel

# A record and its changes as the audit trail holds them: field → [before, after]. A created record has nothing before,
# a deleted one nothing after.
Change = tuple[Any, dict[str, list[Any]]]
ChangeListener = Callable[[Sequence[Change]], None]

_listeners: dict[type[AuditedModel], list[ChangeListener]] = defaultdict(list)


def register_change_listener(model: type[AuditedModel], listener: ChangeListener) -> None:
    """Call `listener` with the records of the model that one write creates, changes or deletes, and their changes."""
    if listener not in _listeners[model]:
        _listeners[model].append(listener)


def notify_listeners(changes: Sequence[Change]) -> None:
    """Call the listeners of the records' model; all are of one. For the audited writer alone, in its transaction."""
    if changes:
        for listener in _listeners.get(type(changes[0][0]), ()):
            listener(changes)
