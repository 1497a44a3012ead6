"""Lets apps react to changes of records in the same transaction, whichever way a change came in."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

# A record and its changes as the audit trail holds them: field → [before, after]. A created record has nothing before,
# a deleted one nothing after.
Change = tuple[Any, dict[str, list[Any]]]
ChangeListener = Callable[[Sequence[Change]], None]

_listeners: dict[type[Any], list[ChangeListener]] = defaultdict(list)


def register_change_listener(model: Any, listener: ChangeListener) -> None:
    """Call `listener` with the records of the model that one write creates, changes or deletes, and their changes.

    The listener of an abstract model is told of all models that derive from it.
    """
    if listener not in _listeners[model]:
        _listeners[model].append(listener)


def notify_listeners(changes: Sequence[Change]) -> None:
    """Call the listeners of the records' model; all are of one. For the audited writer alone, in its transaction."""
    if changes:
        for model in type(changes[0][0]).__mro__:
            for listener in _listeners.get(model, ()):
                listener(changes)
