"""What follows from a change of a record, on a floor above: done in the same transaction, whoever made the change."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from ctms.core.models import AuditedModel

# A record and what changed in it, as the audit trail has it: field → [before, after]. Of a created one before is empty,
# of a deleted one after.
Change = tuple[Any, dict[str, list[Any]]]
Follower = Callable[[Sequence[Change]], None]

_followers: dict[type[AuditedModel], list[Follower]] = defaultdict(list)


def register_follower(model: type[AuditedModel], follower: Follower) -> None:
    """Let `follower` be told of every record of the model that is created, changed or deleted, many at once."""
    if follower not in _followers[model]:
        _followers[model].append(follower)


def tell_followers(changes: Sequence[Change]) -> None:
    """For the audited writer alone, in its transaction. The records are of one model."""
    if changes:
        for follower in _followers.get(type(changes[0][0]), ()):
            follower(changes)
