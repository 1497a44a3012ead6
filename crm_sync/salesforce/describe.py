"""Read the CRM's description of an object and its fields.

Source of the names: Salesforce REST API Developer Guide, "sObject Describe"; SOAP API, "DescribeSObjectResult".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connections.crmdescription import DescribedField, DescribedObject

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_description(payload: Mapping[str, Any]) -> DescribedObject:
    """Read a description; raises KeyError, TypeError or AttributeError if its form is unexpected."""
    fields = [_read_field(field) for field in payload["fields"]]
    return DescribedObject(
        name=str(payload["name"]),
        label=str(payload.get("label") or ""),
        is_queryable=payload.get("queryable") is True,
        is_createable=payload.get("createable") is True,
        is_updateable=payload.get("updateable") is True,
        fields={field.name.lower(): field for field in fields},
    )


def _read_field(field: Mapping[str, Any]) -> DescribedField:
    is_id = field.get("type") == "id"  # unique and case-sensitive, though the description does not say so
    length = field.get("length")
    return DescribedField(
        name=str(field["name"]),
        label=str(field.get("label") or ""),
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
