"""The way from a record to another one to which it refers, as expressions of the database.

Standard references are columns, which a look-up follows. A custom reference is the uid of a record in JSON: the record
is found by it in a subquery.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from django.db.models import F, OuterRef, Subquery
from django.db.models.fields.json import KeyTextTransform

from ctms.core.uuids import TextUuid

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from uuid import UUID

    from django.db import models
    from django.db.models import QuerySet

    from ctms.configuration.fields import ObjectField


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPath:
    """Standard references, as a look-up, and where they end a custom reference with the path from there, if any."""

    lookup: str = ""
    custom: str = ""  # API name of the custom reference
    target: Any = None  # the model to which it leads
    rest: RecordPath | None = None

    @classmethod
    def build(cls, steps: Sequence[ObjectField]) -> Self:
        """Return the path of these references."""
        standard: list[str] = []
        for number, step in enumerate(steps):
            if step.is_custom:
                return cls(
                    lookup="__".join(standard),
                    custom=step.api_name,
                    target=step.reference,
                    rest=cls.build(steps[number + 1 :]),
                )
            standard.append(step.attribute)
        return cls(lookup="__".join(standard))

    @property
    def is_farther(self) -> bool:
        """Whether the record is reached through another one."""
        if self.rest is None:
            return "__" in self.lookup
        return bool(self.lookup or self.rest != RecordPath())

    def extend(self, lookup: str) -> RecordPath:
        """Return the path that follows standard references from its end."""
        if self.rest is not None:
            return replace(self, rest=self.rest.extend(lookup))
        return replace(self, lookup=_join(self.lookup, lookup))

    def follow(self, attribute: str) -> Any:
        """Return the expression of a column of the record at the end; NULL where a reference on the way is empty."""
        if self.rest is None:
            return F(_join(self.lookup, attribute))
        named = TextUuid(KeyTextTransform(self.custom, OuterRef(_join(self.lookup, "custom_fields"))))
        found = self.target._base_manager.filter(uid=named).order_by()
        return Subquery(found.annotate(followed=self.rest.follow(attribute)).values("followed")[:1])

    def follow_key(self) -> Any:
        """Return the expression of the key of the record at the end."""
        return F(f"{self.lookup}_id") if self.rest is None else self.follow("pk")

    def find(self, model: type[models.Model], *, uids: Collection[UUID]) -> QuerySet[Any]:
        """Return the records of a model that lead to those with these uids."""
        records: Any = model._base_manager
        if self.rest is None:
            found: QuerySet[Any] = records.filter(**{f"{_join(self.lookup, 'uid')}__among": uids})
            return found
        nearer = uids
        if self.rest != RecordPath():
            nearer = list(self.rest.find(self.target, uids=uids).values_list("uid", flat=True))
        named = TextUuid(KeyTextTransform(self.custom, F(_join(self.lookup, "custom_fields"))))
        led: QuerySet[Any] = records.alias(named=named).filter(named__among=nearer)
        return led

    def get_model(self, model: type[models.Model]) -> Any:
        """Return the model of the record at the end, if the path begins at a record of `model`."""
        if self.rest is not None:
            return self.rest.get_model(self.target)
        found: Any = model
        for step in self.lookup.split("__") if self.lookup else ():
            found = found._meta.get_field(step).related_model
        return found


def _join(lookup: str, attribute: str) -> str:
    return f"{lookup}__{attribute}" if lookup else attribute
