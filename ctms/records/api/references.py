"""References in bodies: a uid, the object that shows a reference, or a key of the record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from ctms.configuration.fields import ObjectField
from ctms.core.errors import VaultError
from ctms.records.access import ObjectAccess, open_related
from ctms.records.api.keys import UID, KeyFinder
from ctms.records.fields.kinds.reference import read_reference
from ctms.records.fields.references import get_target, list_choices, select_scopes


@dataclass(kw_only=True)
class References:
    """Finds what references name among the records that may be chosen: visible, active ones."""

    access: ObjectAccess
    _finders: dict[str, KeyFinder | None] = field(default_factory=dict)
    _others: dict[str, dict[UUID, Any]] = field(default_factory=dict)  # users, by field

    def load(self, *, field: ObjectField, values: Iterable[Any]) -> None:
        """Look up what many bodies have for a field, valid or not: a statement for each kind of key."""
        finder = self._get_finder(field)
        if finder is not None:
            finder.load(key for value in values if (key := _read_key(value)) is not None)
        else:
            self._load_others(field=field, uids={uid for value in values if (uid := read_reference(value)) is not None})

    def find(self, *, field: ObjectField, data: Any) -> Any:
        """Return the record that the reference names; None if there is none. Raises VaultError for no reference."""
        finder = self._get_finder(field)
        if finder is not None:
            return finder.find(_read_key(data))
        uid = read_reference(data)
        if uid is None:
            raise VaultError("Send the uid of a record, in quotes.")
        self._load_others(field=field, uids={uid})
        return self._others[field.api_name].get(uid)

    def _load_others(self, *, field: ObjectField, uids: set[UUID]) -> None:
        known = self._others.setdefault(field.api_name, {})
        new = uids.difference(known)
        records = list_choices(access=self.access, field=field) if new else None
        known |= dict.fromkeys(new)
        if records is not None:
            known |= {each.uid: each for each in records.filter(uid__in=new)}

    def _get_finder(self, field: ObjectField) -> KeyFinder | None:
        if field.api_name not in self._finders:
            self._finders[field.api_name] = self._build_finder(field)
        return self._finders[field.api_name]

    def _build_finder(self, field: ObjectField) -> KeyFinder | None:
        target = get_target(field)
        opened = open_related(access=self.access, object_name=target.api_name) if target else None
        records = list_choices(access=self.access, field=field) if opened else None
        if opened is None or records is None:
            return None
        # The record takes its parents from what it refers to.
        return KeyFinder(access=opened, records=select_scopes(records=records, shape=self.access.shape, field=field))


def _read_key(value: Any) -> Any:
    """Return the key in a reference: that of its uid where it has one; None if it holds no key."""
    uid = read_reference(value)
    if uid is not None:
        return {UID: str(uid)}
    return value if isinstance(value, dict) else None
