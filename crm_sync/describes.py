"""An object of the CRM as it describes itself: what the rules that name it are checked against.

Source of the names: Salesforce REST API Developer Guide, "sObject Describe"; SOAP API, "DescribeSObjectResult".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Describe = Callable[[str], "DescribedObject | None"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedField:
    """One field, as far as the CRM user sees it. `allowed` are the values of a restricted picklist, else None."""

    name: str
    type: str
    length: int
    is_createable: bool
    is_updateable: bool
    is_filterable: bool
    is_needed: bool  # empty in a new record, the CRM refuses it
    is_external_id: bool
    is_unique: bool
    is_case_sensitive: bool
    refers_to: tuple[str, ...]
    relationship: str
    allowed: frozenset[str] | None

    def refers_to_object(self, name: str) -> bool:
        """Whether the field refers to records of that object."""
        return name.lower() in {each.lower() for each in self.refers_to}


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedObject:
    """One object with its fields by lower-cased name: names in the CRM ignore case."""

    name: str
    is_queryable: bool
    is_createable: bool
    is_updateable: bool
    fields: Mapping[str, DescribedField]

    def find_field(self, name: str) -> DescribedField | None:
        """The field of that name in any case."""
        return self.fields.get(name.lower())

    def find_path(self, path: str, *, describe: Describe) -> DescribedField | None:
        """The field at the end of a path such as `Account_vod__r.NPI_vod__c`; None where a step leads nowhere."""
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


def read_description(payload: Mapping[str, Any]) -> DescribedObject:
    """Read a description; raises KeyError, TypeError or AttributeError for one of an unexpected form."""
    fields = [_read_field(field) for field in payload["fields"]]
    return DescribedObject(
        name=str(payload["name"]),
        is_queryable=payload.get("queryable") is True,
        is_createable=payload.get("createable") is True,
        is_updateable=payload.get("updateable") is True,
        fields={field.name.lower(): field for field in fields},
    )


def _read_field(field: Mapping[str, Any]) -> DescribedField:
    is_id = field.get("type") == "id"  # unique and case-sensitive by its nature, which describe does not say
    length = field.get("length")
    return DescribedField(
        name=str(field["name"]),
        type=str(field.get("type", "")),
        length=length if isinstance(length, int) else 0,
        is_createable=field.get("createable") is True,
        is_updateable=field.get("updateable") is True,
        is_filterable=field.get("filterable") is True,
        is_needed=(
            field.get("createable") is True
            and field.get("nillable") is False
            and field.get("defaultedOnCreate") is False
            and field.get("type") != "boolean"
        ),
        is_external_id=field.get("externalId") is True or is_id,
        is_unique=field.get("unique") is True or is_id,
        is_case_sensitive=field.get("caseSensitive") is True or is_id,
        refers_to=tuple(str(name) for name in field.get("referenceTo") or ()),
        relationship=str(field.get("relationshipName") or ""),
        allowed=_read_allowed(field),
    )


def _read_allowed(field: Mapping[str, Any]) -> frozenset[str] | None:
    if field.get("restrictedPicklist") is not True:
        return None
    return frozenset(str(entry["value"]) for entry in field.get("picklistValues") or () if entry.get("active") is True)
