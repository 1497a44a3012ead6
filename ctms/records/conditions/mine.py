"""What *my* means: I own it, or I own its site. Studies have no owner: mine are those that I am assigned to.

This is the one place that knows it. Home, lists, delivered views, reports and the API ask here, or by `MINE_HERE`,
which is the same in the address of a list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import Model, Q, QuerySet

from ctms.accounts.models import User

OWNER = "ownerid__v"  # API name of the owner, whatever the object
ME = "me"  # a value of a reference to users: whoever asks
MINE = "mine"  # a value of a reference to other records: those that are registered as the asking user's own


# What is mine among activities or visits: the parameters of their list.
MINE_HERE: Mapping[str, str] = {f"any1.{OWNER}": ME, "any1.site__v": MINE}


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


def limit_to_owned(records: QuerySet[Any], user: User) -> QuerySet[Any]:
    """Filter records for those that the user owns, or whose site the user owns."""
    owned = Q(owner=user)
    if any(field.name == "site" for field in records.model._meta.concrete_fields):
        owned |= Q(site__owner=user)
    return records.filter(owned)
