"""Conditions that have been checked, joined by *all of* and *any of*."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices

from ctms.records.conditions.subjects import Subject
from ctms.records.fields.comparing.operators import Operator

DEEPEST = 4  # a condition in three groups
TOO_DEEP = f"Groups stand at most {DEEPEST - 1} deep in each other. Remove one."


class Joint(TextChoices):
    """How a group joins its members."""

    ALL = "all", "All of"
    ANY = "any", "Any of"


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A condition, checked against the configuration.

    `values` are in their normal form, as they are stored. `meaning` is what they are compared as; of a period it is
    the days as of when the condition was compiled.
    """

    subject: Subject
    operator: Operator
    values: tuple[str, ...] = ()
    meaning: Any = None

    def as_stored(self) -> dict[str, Any]:
        """Return the condition as JSON."""
        return {"field": self.subject.path, "operator": str(self.operator), "values": list(self.values)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Conditions and groups, joined by *all of* or *any of*. An empty group lets everything through."""

    joint: Joint = Joint.ALL
    members: tuple[Condition | Group, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.members)

    def __iter__(self) -> Iterator[Condition]:
        """Iterate over all conditions, in the order in which they stand."""
        for each in self.members:
            if isinstance(each, Group):
                yield from each
            else:
                yield each

    def as_stored(self) -> list[Any]:
        """Return the members as JSON: conditions, and groups such as `{"any": [...]}`."""
        return [
            {str(each.joint): each.as_stored()} if isinstance(each, Group) else each.as_stored()
            for each in self.members
        ]


def read_joint(stored: Any) -> tuple[Joint, Sequence[Any]] | None:
    """Return how a stored group joins its members, and these; None if it is no group."""
    if not isinstance(stored, dict) or len(stored) != 1:
        return None
    [(name, members)] = stored.items()
    return (Joint(name), members) if name in Joint.values and isinstance(members, list) else None
