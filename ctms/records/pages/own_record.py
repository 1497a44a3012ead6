"""The record that a user is, such as a person: named on the user's profile. The app of that object registers it."""

from __future__ import annotations

from dataclasses import dataclass

from ctms.accounts.models import User
from ctms.records.access import AccessRefusedError, open_object
from ctms.records.addresses import get_record_url


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRecord:
    """What the profile shows: the object's title, and name and address of the record."""

    title: str
    name: str
    url: str


_registered: dict[str, str] = {}


def register_own_record(*, object_name: str, reference: str) -> None:
    """Let the profile name the record of this object whose model field `reference` is the user."""
    _registered[object_name] = reference


def list_own_records(user: User) -> list[OwnRecord]:
    """Return the records that the user is, as far as the user may read them."""
    found = []
    for object_name, reference in _registered.items():
        try:
            access = open_object(user=user, object_name=object_name)
        except AccessRefusedError:
            continue
        found += [
            OwnRecord(title=access.vault_object.title, name=str(record), url=get_record_url(record))
            for record in access.list_records().filter(**{reference: user})
        ]
    return found
