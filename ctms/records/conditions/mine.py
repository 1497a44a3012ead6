"""What *my* means: the studies, sites and so on that are a user's own. This is the one place that knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, QuerySet

from ctms.accounts.models import User

ME = "me"  # a value of a reference to users: whoever asks
MINE = "mine"  # a value of a reference to other records: those that are registered as the asking user's own


@dataclass(frozen=True, slots=True, kw_only=True)
class Mine:
    """The records of a model that are a user's own. `label` is their word in lists, such as `my studies`.

    `limit` filters the records of the model for those of the user.
    """

    label: str
    limit: Callable[[QuerySet[Any], User], QuerySet[Any]]


_registered: dict[type[Model], Mine] = {}


def register_mine(*, model: type[Model], label: str, limit: Callable[[QuerySet[Any], User], QuerySet[Any]]) -> None:
    """Let conditions on references to the model ask for the user's own records, by the value `mine`."""
    _registered[model] = Mine(label=label, limit=limit)


def find_mine(model: type[Model] | None) -> Mine | None:
    """Return what *my* means for records of the model; None if nothing is registered."""
    return _registered.get(model) if model is not None else None
