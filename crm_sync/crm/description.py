"""An object of a CRM and its fields, as the CRM describes them. Integration and field rules are checked against it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Describe = Callable[[str], "DescribedObject | None"]


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

    def find_field(self, name: str) -> DescribedField | None:
        """Return the field with this name, whatever its case; None if there is none."""
        return self.fields.get(name.lower())

    def find_path(self, path: str, *, describe: Describe) -> DescribedField | None:
        """Return the field at the end of a path such as `Account_vod__r.NPI_vod__c`; None if a step does not exist."""
        first, _, rest = path.partition(".")
        if not rest:
            return self.find_field(first)
        reference = next((each for each in self.fields.values() if each.relationship.lower() == first.lower()), None)
        for name in reference.refers_to if reference else ():
            target = describe(name)
            found = target.find_path(rest, describe=describe) if target else None
            if found is not None:
                return found
        return None
