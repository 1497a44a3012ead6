"""Objects whose records have an owner and are handed over, registered by the apps that own them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import F, Model, Q, QuerySet

from ctms.accounts.models import User
from ctms.accounts.policies import allows_object_type
from ctms.records.access import AccessRefusedError, ObjectAccess, open_object, open_related


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedObject:
    """An object whose records have an owner.

    `label` is the word for its records that are handed over. `is_open` is the condition for those that still have to be
    seen to; what is done stays with whoever did it. `day` is the attribute with the day of a record, `columns` are the
    fields that a user is shown of it. `site` leads to the site of a record, `pk` if it is a site itself.
    """

    model: type[Model]
    label: str
    is_open: Q
    order: tuple[str, ...]
    columns: tuple[str, ...]
    position: int
    day: str = ""
    site: str = "site"

    @property
    def api_name(self) -> str:
        return str(self.model.object_name)  # type: ignore[attr-defined]  # every record has one

    @property
    def is_site(self) -> bool:
        return self.site == "pk"


_owned: list[OwnedObject] = []


def register_owned(owned: OwnedObject) -> None:
    """Let records of an object be handed over; they stand in the order of `position`."""
    if owned.model not in {each.model for each in _owned}:
        _owned.append(owned)
        _owned.sort(key=lambda each: each.position)


def list_owned() -> list[OwnedObject]:
    return list(_owned)


def find_owned(object_name: str) -> OwnedObject | None:
    """Return the object of that API name; None if its records are not handed over."""
    return next((each for each in _owned if each.api_name == object_name), None)


def may_hand_over(access: ObjectAccess) -> bool:
    """Whether the user may name other owners of records of the object."""
    return find_owned(access.shape.api_name) is not None and access.allows("edit")


def may_hand_over_any(user: User) -> bool:
    """Whether the user may name other owners of any records."""
    return any(
        allows_object_type(user=user, object_name=each.api_name, object_type="", action="edit") for each in _owned
    )


def open_owned(access: ObjectAccess, *, action: str = "edit") -> list[tuple[OwnedObject, ObjectAccess]]:
    """Return the objects whose records the user may hand over, or read, with the access to each."""
    opened = [(each, open_related(access=access, object_name=each.api_name)) for each in _owned]
    return [(each, found) for each, found in opened if found is not None and found.allows(action)]


def open_any(user: User) -> ObjectAccess:
    """Return the user's access to an object whose records are handed over: one that may be edited, if there is any.

    Raises AccessRefusedError if the user may read none of them.
    """
    opened = [found for each in _owned if (found := _open(user, each)) is not None]
    if not opened:
        raise AccessRefusedError("Your security profile does not allow you to read sites, visits or activities.")
    return next((each for each in opened if each.allows("edit")), opened[0])


def _open(user: User, owned: OwnedObject) -> ObjectAccess | None:
    try:
        return open_object(user=user, object_name=owned.api_name)
    except AccessRefusedError:
        return None


def is_of_owner(owned: OwnedObject) -> Q:
    """Return the condition for records at a site that belong to the owner of the site, or to nobody."""
    return Q(owner__isnull=True) | Q(owner=F(f"{owned.site}__owner"))


def limit_to_open(owned: OwnedObject, records: QuerySet[Any]) -> QuerySet[Any]:
    return records.filter(owned.is_open)
