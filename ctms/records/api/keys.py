"""Keys: what a record is addressed by beside its uid, such as its external ID, or the study and number of a site.

A key is a JSON object of API names with values: `{"external_id__v": "HCP-000688"}`. A reference in it is a uid or the
key of the record referred to: `{"study__v": {"name__v": "S-1"}, "name__v": "101"}`. What the user does not see is found
by no key. Keys of many records are looked up together: a statement for each set of names.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.db.models import QuerySet

from ctms.configuration.fields import ObjectField
from ctms.configuration.snapshot import ObjectShape
from ctms.configuration.unique_values import build_key, find_owners
from ctms.core.errors import VaultError
from ctms.core.models import NumberedRecord
from ctms.core.text.numbers import build_number_key
from ctms.records.access import ObjectAccess, open_related
from ctms.records.bulk.imports.keys import list_match_keys
from ctms.records.fields.kinds.reference import read_reference
from ctms.records.fields.references import get_target

UID = "uid__sys"
_LONGEST_TEXT = 255

Names = frozenset[str]


class InvalidKeyError(VaultError):
    """What was sent is no key of the object."""


class AmbiguousKeyError(VaultError):
    """Several records that the user sees have the key."""

    code = "ambiguous"


def list_keys(shape: ObjectShape) -> list[tuple[str, ...]]:
    """Return the sets of fields that are keys of an object, the surest first."""
    found = [each.fields for each in list_match_keys(shape) if each.fields]
    found += [(name,) for name in shape.vault_object.told_apart_by if name in shape.fields]
    found += [
        (name,) for name, each in shape.fields.items() if each.is_custom and each.is_unique and each.reference is None
    ]
    return [names for names in dict.fromkeys(found) if all(_can_be_in_key(shape.fields[name]) for name in names)]


def describe_keys(shape: ObjectShape) -> str:
    """Return the keys of an object in words: `uid__sys, external_id__v, study__v with name__v`."""
    return ", ".join(" with ".join(names) for names in list_keys(shape))


@dataclass(kw_only=True)
class KeyFinder:
    """Finds records of one object by keys, among `records`; what `load` was not given, `find` looks up alone."""

    access: ObjectAccess
    records: QuerySet[Any]
    _found: dict[str, list[Any]] = field(default_factory=dict)

    def load(self, keys: Iterable[Any]) -> None:
        """Look up keys, valid or not, that were not looked up yet."""
        new = {_freeze(key): key for key in keys}
        by_names: dict[Names, list[str]] = {}
        for frozen, key in new.items():
            if frozen not in self._found and self.is_key(key):
                self._found[frozen] = []
                by_names.setdefault(frozenset(key), []).append(frozen)
        for names, group in by_names.items():
            self._load_group(names=sorted(names), keys={frozen: new[frozen] for frozen in group})

    def find(self, key: Any) -> Any:
        """Return the record that has the key; None if there is none.

        Raises InvalidKeyError saying which keys there are, and AmbiguousKeyError.
        """
        if not self.is_key(key):
            raise InvalidKeyError(f"Send a key with its values: {describe_keys(self.access.shape)}.")
        self.load([key])
        found = self._found[_freeze(key)]
        if len(found) > 1:
            label = self.access.vault_object.plural_label
            raise AmbiguousKeyError(f"{len(found)} {label} that you see have this {' and '.join(sorted(key))}.")
        return found[0] if found else None

    @cached_property
    def _key_names(self) -> frozenset[Names]:
        return frozenset(frozenset(names) for names in list_keys(self.access.shape))

    @cached_property
    def _parents(self) -> dict[str, KeyFinder | None]:
        """The finders for what references in keys name, by field."""
        names = {name for names in self._key_names for name in names}
        return {
            name: build_key_finder(access=self.access, field=each)
            for name in names
            if (each := self.access.shape.fields[name]).reference is not None
        }

    def is_key(self, key: Any) -> bool:
        """Whether this is a key of the object, with values that can be looked up."""
        if not isinstance(key, Mapping) or frozenset(key) not in self._key_names:
            return False
        return all(self._is_value(name, value) for name, value in key.items())

    def _is_value(self, name: str, value: Any) -> bool:
        if name == UID:
            return isinstance(value, str) and read_reference(value) is not None
        if self.access.shape.fields[name].reference is None:
            return isinstance(value, str) and 0 < len(value) <= _LONGEST_TEXT and value.isprintable()
        parent = self._parents[name]
        return parent is not None and (read_reference(value) is not None or parent.is_key(value))

    def _load_group(self, *, names: Sequence[str], keys: Mapping[str, Mapping[str, Any]]) -> None:
        for name in names:
            if (parent := self._parents.get(name)) is not None:
                parent.load(_as_key(key[name]) for key in keys.values())
        wanted: dict[tuple[Any, ...], list[str]] = {}
        for frozen, key in keys.items():
            values = tuple(self._read(name, key[name]) for name in names)
            if None not in values:
                wanted.setdefault(values, []).append(frozen)
        records = self.records
        attributes = [self._get_attribute(self.access.shape.fields[name]) for name in names]
        for position, name in enumerate(names):
            records = self._narrow(records, name=name, values={values[position] for values in wanted})
        for record in records if wanted else ():
            own = tuple(_read_attribute(record, each) for each in attributes)
            for frozen in wanted.get(own, ()):
                self._found[frozen].append(record)

    def _read(self, name: str, value: Any) -> Any:
        """Return a value of a key as its column holds it; None for a reference to no record."""
        if name == UID:
            return read_reference(value)
        each = self.access.shape.fields[name]
        if each.reference is None:
            return build_number_key(value) if self._is_number(each) else value
        parent = self._parents[name]
        found = parent.find(_as_key(value)) if parent is not None else None
        return found.pk if found is not None else None

    def _narrow(self, records: QuerySet[Any], *, name: str, values: set[Any]) -> QuerySet[Any]:
        each = self.access.shape.fields[name]
        if not each.is_custom:
            return records.filter(**{f"{self._get_attribute(each)}__in": values})
        owners = find_owners(field=each, model=records.model, keys=[build_key(value) for value in values])
        return records.filter(uid__in=owners.values())

    def _get_attribute(self, each: ObjectField) -> str:
        if self._is_number(each):
            return "number_key"
        return f"{each.attribute}_id" if each.reference is not None else each.attribute

    def _is_number(self, each: ObjectField) -> bool:
        return each.attribute == "name" and issubclass(self.records.model, NumberedRecord)


def build_key_finder(*, access: ObjectAccess, field: ObjectField) -> KeyFinder | None:
    """Return a finder for what a reference names; None if it names users, or what the user may not read."""
    target = get_target(field)
    opened = open_related(access=access, object_name=target.api_name) if target else None
    return KeyFinder(access=opened, records=opened.list_records()) if opened is not None else None


def _can_be_in_key(each: ObjectField) -> bool:
    """Whether a key names it by a text or a record of an object: what is typed is told exactly."""
    if each.reference is not None:
        return get_target(each) is not None
    return each.api_name == UID or (each.kind in ("text", "email") and not each.is_computed)


def _as_key(value: Any) -> Mapping[str, Any]:
    """Return a reference as a key: a uid is one, too."""
    uid = read_reference(value)
    return {UID: str(uid)} if uid is not None else dict(value)


def _read_attribute(record: Any, attribute: str) -> Any:
    name = attribute.removeprefix("custom_fields__")
    return getattr(record, attribute) if name == attribute else (record.custom_fields or {}).get(name)


def _freeze(key: Any) -> str:
    return json.dumps(key, sort_keys=True)
