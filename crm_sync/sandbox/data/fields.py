"""What the schema of an organisation is made of: fields and objects, and short ways to write them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

TEXT_TYPES = frozenset(
    {"string", "textarea", "email", "url", "phone", "picklist", "multipicklist", "combobox", "encryptedstring"}
)
NUMBER_TYPES = frozenset({"double", "int", "long", "currency", "percent"})
COORDINATE_LIMITS = {"latitude": 90, "longitude": 180}
UNGROUPABLE_TYPES = frozenset(
    {"datetime", "textarea", "double", "currency", "percent", "multipicklist", "time", "address", "location"}
)


@dataclass(frozen=True)
class Field:
    """One field. `relationship` is its name in field paths, such as `Account_vod__r`.

    `length` is in UTF-16 code units, of which an emoji has two.
    """

    name: str
    label: str
    type: str
    length: int = 0
    scale: int = 0
    required: bool = False
    external_id: bool = False
    unique: bool = False
    case_sensitive: bool = False
    picklist: tuple[tuple[str, str], ...] = ()
    reference_to: str = ""
    relationship: str = ""
    child_relationship: str = ""
    read_only: bool = False
    default: object = None
    auto_number: str = ""
    name_field: bool = False
    # Whether a picklist takes its values alone; else they are suggestions.
    restricted: bool = True
    # Further objects to which a polymorphic reference may lead.
    also_refers_to: tuple[str, ...] = ()
    # The parts of a compound: the key of each in the value, and its field.
    components: tuple[tuple[str, str], ...] = ()

    @property
    def custom(self) -> bool:
        """Whether the field was added by a package or an administrator."""
        return self.name.endswith(("__c", "__s"))

    @property
    def is_text(self) -> bool:
        """Whether SOQL compares the values as strings. It does not so compare ids and references."""
        return self.type in TEXT_TYPES

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.type in NUMBER_TYPES

    @property
    def targets(self) -> tuple[str, ...]:
        """The objects to which a reference may lead."""
        return (self.reference_to, *self.also_refers_to) if self.reference_to else ()

    @property
    def groupable(self) -> bool:
        """Whether queries may be grouped by it."""
        return self.type not in UNGROUPABLE_TYPES

    @property
    def aggregatable(self) -> bool:
        """Whether it has a least and a greatest value, and a count."""
        return self.type != "boolean" and not self.components

    @property
    def allowed_values(self) -> frozenset[str]:
        """The values of a restricted picklist."""
        return frozenset(value for value, _ in self.picklist)


@dataclass(frozen=True)
class SObject:
    """One object with all its fields, system fields included, in the order in which they are described."""

    name: str
    label: str
    label_plural: str
    key_prefix: str
    fields: tuple[Field, ...]
    createable: bool = True
    deletable: bool = True
    # Addresses and locations, which are put together from `fields` when they are read.
    compounds: tuple[Field, ...] = ()
    # The schema that it belongs to, for the objects to which its fields refer.
    schema: Schema = field(default=None, repr=False, compare=False)  # type: ignore[assignment]  # set by Schema
    # Each field by exact name with the function that reads its values; filled on first use by `records`.
    writers: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def by_lower_name(self) -> dict[str, Field]:
        """Fields by name in lower case, since the API ignores the case of names."""
        return {entry.name.lower(): entry for entry in self.fields}

    @cached_property
    def by_relationship(self) -> dict[str, Field]:
        """Reference fields by relationship name in lower case."""
        return {entry.relationship.lower(): entry for entry in self.fields if entry.relationship}

    @property
    def custom(self) -> bool:
        """Whether this is a custom object."""
        return self.name.endswith("__c")

    @cached_property
    def name_field(self) -> Field:
        """The field that names a record."""
        return next(entry for entry in self.fields if entry.name_field)

    @cached_property
    def unique_fields(self) -> tuple[Field, ...]:
        """Fields whose values may occur only once among records that are not deleted."""
        return tuple(entry for entry in self.fields if entry.unique)

    @cached_property
    def required_fields(self) -> tuple[Field, ...]:
        """Fields that may not be empty and have no default."""
        return tuple(entry for entry in self.fields if entry.required and entry.default is None)

    @cached_property
    def has_person_name(self) -> bool:
        """Whether the name of a record is put together from first and last name."""
        name = self.by_lower_name.get("name")
        return name is not None and name.read_only and "lastname" in self.by_lower_name

    def find_field(self, name: str) -> Field | None:
        """Return the field with this name in any case, or None."""
        return self.by_lower_name.get(name.lower())

    def find_compound(self, name: str) -> Field | None:
        """Return the address or location with this name in any case, or None."""
        return next((entry for entry in self.compounds if entry.name.lower() == name.lower()), None)

    @cached_property
    def compound_names(self) -> dict[str, str]:
        """The compound of each field that is a part of one, by names."""
        return {part: entry.name for entry in self.compounds for _, part in entry.components}

    @cached_property
    def coordinates(self) -> dict[str, int]:
        """The fields with a latitude or longitude of a compound, by names, each with its greatest value in degrees."""
        return {
            part: COORDINATE_LIMITS[key]
            for entry in self.compounds
            for key, part in entry.components
            if key in COORDINATE_LIMITS
        }

    @property
    def readable_fields(self) -> tuple[Field, ...]:
        """All fields that may be read: those that are stored, and the compounds."""
        return (*self.fields, *self.compounds)


class Schema:
    """The objects that an organisation has."""

    def __init__(self, objects: Iterable[SObject]) -> None:
        """Take these objects. One that is there twice has the fields of both; of equal names the first is taken."""
        merged: dict[str, SObject] = {}
        for each in objects:
            known = merged.get(each.name)
            if known is None:
                merged[each.name] = replace(each, schema=self, writers={})
                continue
            names = {entry.name for entry in known.fields}
            added = tuple(entry for entry in each.fields if entry.name not in names)
            compounds = tuple(entry for entry in each.compounds if known.find_compound(entry.name) is None)
            merged[each.name] = replace(
                known, fields=(*known.fields, *added), compounds=(*known.compounds, *compounds), schema=self, writers={}
            )
        self.objects: tuple[SObject, ...] = tuple(merged.values())
        self._by_lower_name = {each.name.lower(): each for each in self.objects}
        self._by_key_prefix = {each.key_prefix: each for each in self.objects}
        self._references: dict[str, list[tuple[SObject, Field]]] = {}

    def __getitem__(self, name: str) -> SObject:
        """Return the object with this name in any case. Raises KeyError."""
        return self._by_lower_name[name.lower()]

    def find(self, name: str) -> SObject | None:
        """Return the object with this name in any case, or None."""
        return self._by_lower_name.get(name.lower())

    def find_by_id(self, identifier: str) -> SObject | None:
        """Return the object of a record by its id, or None."""
        return self._by_key_prefix.get(identifier[:3])

    def list_references_to(self, target: SObject) -> list[tuple[SObject, Field]]:
        """Return every reference field to `target` by which it has children, with its object."""
        found = self._references.get(target.name)
        if found is None:
            found = [
                (each, lookup)
                for each in self.objects
                for lookup in each.fields
                if target.name in lookup.targets and (lookup.custom or lookup.child_relationship)
            ]
            self._references[target.name] = found
        return found


def text(name: str, label: str, length: int, *, required: bool = False, name_field: bool = False) -> Field:
    """Return a plain text field."""
    return Field(name, label, "string", length, required=required, name_field=name_field)


def picklist(name: str, label: str, values: tuple[tuple[str, str], ...], *, default: str | None = None) -> Field:
    """Return a restricted picklist."""
    return Field(name, label, "picklist", 255, picklist=values, default=default)


def reference(name: str, label: str, target: str, *, children: str = "", required: bool = False) -> Field:
    """Return a lookup to another object."""
    return Field(
        name,
        label,
        "reference",
        18,
        reference_to=target,
        relationship=name.removesuffix("__c") + "__r",
        child_relationship=children,
        required=required,
    )


def user_reference(name: str, label: str, *, read_only: bool) -> Field:
    """Return a system field that refers to a user."""
    return Field(
        name,
        label,
        "reference",
        18,
        reference_to="User",
        relationship=name.removesuffix("Id"),
        read_only=read_only,
    )


SYSTEM_FIELDS = frozenset(
    {
        "Id",
        "OwnerId",
        "IsDeleted",
        "CreatedDate",
        "CreatedById",
        "LastModifiedDate",
        "LastModifiedById",
        "SystemModstamp",
    }
)


def define_object(
    name: str,
    label: str,
    label_plural: str,
    *,
    key_prefix: str,
    fields: Iterable[Field],
    system: bool = False,
) -> SObject:
    """Return an object with its own `fields` and the system fields that every object has."""
    owner = () if system else (user_reference("OwnerId", "Owner ID", read_only=False),)
    deleted = () if system else (Field("IsDeleted", "Deleted", "boolean", read_only=True, default=False),)
    return SObject(
        name,
        label,
        label_plural,
        key_prefix,
        (
            Field("Id", "Record ID", "id", 18, read_only=True),
            *owner,
            *deleted,
            *fields,
            Field("CreatedDate", "Created Date", "datetime", read_only=True),
            user_reference("CreatedById", "Created By ID", read_only=True),
            Field("LastModifiedDate", "Last Modified Date", "datetime", read_only=True),
            user_reference("LastModifiedById", "Last Modified By ID", read_only=True),
            Field("SystemModstamp", "System Modstamp", "datetime", read_only=True),
        ),
        createable=not system,
        deletable=not system,
    )
