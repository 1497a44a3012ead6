"""Which records a hand-over is about: from sites, from records chosen in a list, or from a user."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from django.db.models import Q, QuerySet

from ctms.accounts.models import User
from ctms.records.access import ObjectAccess
from ctms.records.bulk.handing_over.owned import OwnedObject, is_of_owner, limit_to_open, open_owned


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user chose of the records of a hand-over.

    `dated_from` leaves out what has an earlier day; what has no day lies ahead. `study` is the uid of a study.
    `of_everybody` takes what others own at a site, too.
    """

    dated_from: dt.date | None = None
    study: UUID | None = None
    of_everybody: bool = False


class Scope(Protocol):
    """Where the records of a hand-over are looked for."""

    def limit(self, owned: OwnedObject, records: QuerySet[Any], limits: Limits) -> QuerySet[Any] | None:
        """Filter the records that the user sees for those that are handed over; None if there never are any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SitesScope:
    """Sites with what is open at them and belongs to the owner of the site, or to nobody."""

    uids: Sequence[str]

    def limit(self, owned: OwnedObject, records: QuerySet[Any], limits: Limits) -> QuerySet[Any] | None:
        if owned.is_site:
            return records.filter(uid__in=self.uids)
        found = limit_to_open(owned, records).filter(**{f"{owned.site}__uid__in": self.uids})
        return found if limits.of_everybody else found.filter(is_of_owner(owned))


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsScope:
    """Records of one object that were chosen one by one, as far as they are open."""

    object_name: str
    uids: Sequence[str]

    def limit(self, owned: OwnedObject, records: QuerySet[Any], limits: Limits) -> QuerySet[Any] | None:
        del limits
        if owned.api_name != self.object_name:
            return None
        return limit_to_open(owned, records).filter(uid__in=self.uids)


@dataclass(frozen=True, slots=True, kw_only=True)
class UserScope:
    """All sites of a user, and what is open and belongs to the user, or to nobody at the user's sites."""

    user: User

    def limit(self, owned: OwnedObject, records: QuerySet[Any], limits: Limits) -> QuerySet[Any] | None:
        whose = Q(owner=self.user)
        if not owned.is_site:
            whose |= Q(owner__isnull=True, **{f"{owned.site}__owner": self.user})
        found = limit_to_open(owned, records).filter(whose)
        return found.filter(study__uid=limits.study) if limits.study else found


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemGroup:
    """The records of one object that are handed over, in their order."""

    owned: OwnedObject
    access: ObjectAccess
    records: QuerySet[Any]


def list_groups(*, access: ObjectAccess, scope: Scope, limits: Limits) -> list[ItemGroup]:
    """Return the records of each object that the user may hand over, and sees."""
    groups = []
    for owned, opened in open_owned(access):
        records = scope.limit(owned, opened.list_records(), limits)
        if records is None:
            continue
        if owned.day and limits.dated_from is not None:
            records = records.filter(Q(**{f"{owned.day}__gte": limits.dated_from}) | Q(**{owned.day: None}))
        groups.append(ItemGroup(owned=owned, access=opened, records=records.order_by(*owned.order, "pk")))
    return groups


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A record that is handed over, as an operation keeps it in a line, with the version that the user was shown."""

    object_name: str
    uid: UUID
    version: int = 0

    def __str__(self) -> str:
        return f"{self.object_name} {self.uid}"

    @property
    def state(self) -> str:
        """The record in its version, as the check of an operation notes it."""
        return f"{self.uid} {self.version}"

    @classmethod
    def read(cls, line: str) -> Item:
        object_name, _, uid = line.partition(" ")
        return cls(object_name=object_name, uid=UUID(uid))


def list_items(groups: Iterable[ItemGroup]) -> list[Item]:
    """Return all records of the groups. Takes a statement for each group."""
    return [
        Item(object_name=each.owned.api_name, uid=uid, version=version)
        for each in groups
        for uid, version in each.records.values_list("uid", "version")
    ]


def digest_states(states: Iterable[str]) -> str:
    """Return a digest of records in their versions, by which a page knows whether they are as it showed them."""
    return hashlib.sha256("\n".join(states).encode()).hexdigest()
