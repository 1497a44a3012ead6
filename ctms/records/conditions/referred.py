"""Conditions on references: records by uid or as *mine*, users by user name or as *me*."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from ctms.accounts.models import User
from ctms.configuration.fields import ObjectField
from ctms.configuration.registry import get_object_of_model
from ctms.configuration.snapshot import ObjectShape
from ctms.records.conditions.mine import ME, MINE, find_mine
from ctms.records.fields.comparing.askers import Asker
from ctms.records.fields.comparing.comparisons import Comparison
from ctms.records.fields.comparing.operators import Operator
from ctms.records.fields.expressions import UuidText

_UID_TEXT = "uid_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Referred:
    """What the values of a reference mean.

    `keys` are lists or subqueries of what the column holds; `found` are the records, by value, as far as they were
    read, for naming them.
    """

    keys: tuple[Any, ...]
    found: dict[str, Any]


class ReferenceConditions(Comparison):
    """Conditions on references. A custom one holds the uid as text, any other a foreign key."""

    input_type = ""

    def is_open(self, *, asker: Asker, field: ObjectField) -> bool:
        """Whether the asker may compare the reference with records."""
        if field.reference is User:
            return asker.user is not None
        return asker.find_target(field) is not None

    def list_words(self, *, asker: Asker, field: ObjectField) -> list[tuple[str, str]]:
        """Return values that stand for a user's own records, with their labels: `me`, or `mine`."""
        if asker.user is None:
            return []
        if field.reference is User:
            return [(ME, ME)]
        mine = find_mine(field.reference)
        return [(MINE, mine.label)] if mine is not None else []

    def read(self, *, shape: ObjectShape, field: ObjectField, value: str) -> str:  # noqa: ARG002  one signature for all
        """Return the normal form of a value. Raises ValueError with a message for the user."""
        if "\x00" in value:
            raise ValueError("Null characters are not allowed. Remove them.")
        if field.reference is User or (value == MINE and find_mine(field.reference) is not None):
            return value
        try:
            return str(uuid.UUID(value))
        except ValueError:
            raise ValueError(f"{value!r} is no uid. Choose the record again.") from None

    def mean(self, *, asker: Asker, field: ObjectField, operator: Operator, values: Sequence[str]) -> Referred:  # noqa: ARG002
        """Return the records that the values mean. Raises ValueError for one that the asking user does not see."""
        if field.reference is User:
            return _find_users(asker=asker, names=values)
        target = asker.find_target(field)
        if target is None:
            raise ValueError("You may not read what this refers to. Remove the condition.")
        records = asker.list_records(target)
        own = MINE in values
        uids = [value for value in values if value != MINE]
        if asker.user is None:
            if own:
                raise ValueError("A filter that holds for everybody cannot ask for what is mine. Choose the records.")
            # The uid of a deleted record may stay in a filter, because no record refers to it any more.
            return Referred(keys=(uids if field.is_custom else records.filter(uid__in=uids).values("pk"),), found={})
        found = {str(each.uid): each for each in records.filter(uid__in=uids)} if uids else {}
        if len(found) < len(uids):
            label = target.vault_object.label
            raise ValueError(f"There is no {label} of this uid that you can see. Choose another, or leave it out.")
        keys: list[Any] = [list(found) if field.is_custom else [each.pk for each in found.values()]] if found else []
        mine = find_mine(field.reference) if own else None
        if mine is not None:
            keys.append(shorten_keys(asker=asker, records=mine.limit(records, asker.user), reference=field))
        return Referred(keys=tuple(keys), found=found)

    def build(self, *, field: ObjectField, operator: Operator, name: str, meaning: Any) -> Q:  # noqa: ARG002
        """Return the condition that the field refers to one of the records."""
        joined = Q()
        for keys in meaning.keys:
            joined |= Q(**{f"{name}__in": keys})
        return joined


def shorten_keys(*, asker: Asker, records: QuerySet[Any], reference: ObjectField) -> Any:
    """Return what the column of a reference holds for the records: keys, or uids as texts for a custom field."""
    if not reference.is_custom:
        return asker.shorten(records, "pk")
    return asker.shorten(records.annotate(**{_UID_TEXT: UuidText("uid")}), _UID_TEXT)


def name_target(field: ObjectField) -> str:
    """Return the label of what a reference leads to."""
    target = get_object_of_model(field.reference) if field.reference else None
    return target.label if target is not None else "user"


def _find_users(*, asker: Asker, names: Sequence[str]) -> Referred:
    named = [name for name in names if name != ME]
    found: dict[str, Any] = (
        {each.username: each for each in User._default_manager.filter(username__in=named)} if named else {}
    )
    unknown = [name for name in named if name not in found]
    if unknown:
        raise ValueError(f"There is no user of the name {unknown[0]!r}. Enter a user name, or me.")
    keys = [each.pk for each in found.values()]
    if ME in names and asker.user is not None:
        keys.append(asker.user.pk)
    return Referred(keys=(keys,), found=found)
