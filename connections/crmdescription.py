"""An object of a CRM and its fields, as the CRM describes them. Integration and field rules are checked against it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from ctms.core.errors import VaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    Describe = Callable[[str], "DescribedObject | None"]


class NotDescribedError(VaultError):
    """Nothing is known of an object: it was not described yet."""


# Types of fields that hold numbers.
NUMBER_TYPES = frozenset({"int", "long", "double", "currency", "percent"})


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedField:
    """One field, as far as the CRM user sees it. `allowed` are the values of a restricted picklist, else None."""

    name: str
    type: str
    length: int
    is_createable: bool
    is_updateable: bool
    is_filterable: bool
    is_needed: bool  # the CRM refuses a new record that leaves it empty
    is_external_id: bool
    is_unique: bool
    is_case_sensitive: bool
    refers_to: tuple[str, ...]
    relationship: str
    allowed: frozenset[str] | None
    label: str = ""

    def refers_to_object(self, name: str) -> bool:
        """Whether the field refers to records of the object `name`."""
        return name.lower() in {each.lower() for each in self.refers_to}


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedObject:
    """One object with its fields by lower-cased name, because names in the CRM ignore case."""

    name: str
    is_queryable: bool
    is_createable: bool
    is_updateable: bool
    fields: Mapping[str, DescribedField]
    label: str = ""

    def find_field(self, name: str) -> DescribedField | None:
        """Return the field with this name, whatever its case; None if there is none."""
        return self.fields.get(name.lower())

    def find_path(self, path: str, *, describe: Describe) -> DescribedField | None:
        """Return the field at the end of a path such as `Account_vod__r.NPI_vod__c`; None if a step does not exist."""
        first, _, rest = path.partition(".")
        if not rest:
            return self.find_field(first)
        for name in self.list_led_to(first):
            target = describe(name)
            found = target.find_path(rest, describe=describe) if target else None
            if found is not None:
                return found
        return None

    def list_led_to(self, relationship: str) -> tuple[str, ...]:
        """Return the names of the objects to which a relationship such as `Account_vod__r` leads; none if unknown."""
        for each in self.fields.values():
            if each.relationship and each.relationship.lower() == relationship.lower():
                return each.refers_to
        return ()

    def as_json(self) -> dict[str, Any]:
        """Return the description as `read_json` reads it."""
        fields = [
            asdict(field) | {"allowed": None if field.allowed is None else sorted(field.allowed)}
            for field in self.fields.values()
        ]
        rights = {name: getattr(self, name) for name in _RIGHTS}
        return {"name": self.name, "label": self.label, **rights, "fields": fields}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownObjects:
    """The stored descriptions of an organisation's objects, by lower-cased name; None: no longer described.

    `labels` are those of all of its objects, by name; empty if they were never listed.
    """

    described: Mapping[str, DescribedObject | None]
    labels: Mapping[str, str]
    described_at: datetime | None = None

    def describe(self, name: str) -> DescribedObject | None:
        """Return the description of an object; None if it has none any more. Raises NotDescribedError."""
        key = name.lower()
        if key in self.described:
            return self.described[key]
        if self.labels and key not in {each.lower() for each in self.labels}:
            return None
        raise NotDescribedError(f"{name} has not been described yet.")

    def find(self, name: str) -> DescribedObject | None:
        """Return the description of an object; None if there is none, for whatever reason."""
        return self.described.get(name.lower())


_RIGHTS = ("is_queryable", "is_createable", "is_updateable")


def read_json(stored: Mapping[str, Any]) -> DescribedObject:
    """Return the description that `as_json` gave."""
    fields = [
        DescribedField(
            **{
                **each,
                "refers_to": tuple(each["refers_to"]),
                "allowed": None if each["allowed"] is None else frozenset(each["allowed"]),
            }
        )
        for each in stored["fields"]
    ]
    return DescribedObject(
        name=stored["name"],
        label=stored["label"],
        **{name: stored[name] for name in _RIGHTS},
        fields={field.name.lower(): field for field in fields},
    )
