"""The object Name, to which a reference to several objects leads in a field path, such as `Who.Name`.

It has the fields that these objects have in common, and `Type`, which tells the object of the record. Source: "Name"
in the Object Reference, and "Understanding Relationship Fields and Polymorphic Fields" in the SOQL and SOSL Reference.
"""

# ruff: noqa: S608  names in SQL come from the schema alone

from __future__ import annotations

from typing import TYPE_CHECKING

from crm_sync.sandbox.data.fields import Field, SObject

if TYPE_CHECKING:
    from crm_sync.sandbox.data.schema import Schema

NAME_FIELDS = (
    Field("Id", "ID", "id", 18, read_only=True),
    Field("Name", "Name", "string", 255, read_only=True, name_field=True),
    Field("Type", "Type", "picklist", 40, read_only=True),
    Field("FirstName", "First Name", "string", 40, read_only=True),
    Field("LastName", "Last Name", "string", 80, read_only=True),
    Field("Title", "Title", "string", 128, read_only=True),
    Field("Email", "Email", "email", 128, read_only=True),
    Field("Phone", "Phone", "phone", 40, read_only=True),
    Field("Username", "Username", "string", 80, read_only=True),
    Field("IsActive", "Active", "boolean", read_only=True),
)


def define_name(schema: Schema) -> SObject:
    """Return the object Name of a schema."""
    return SObject("Name", "Name", "Names", "", NAME_FIELDS, createable=False, deletable=False, schema=schema)


def list_targets(reference: Field, schema: Schema) -> list[SObject]:
    """Return the objects of the schema to which a reference may lead."""
    return [found for name in reference.targets if (found := schema.find(name)) is not None]


def write_names(targets: list[SObject]) -> str:
    """Return the SQL of a table with the records of these objects as those of Name."""
    selects = []
    for target in targets:
        columns = ", ".join(f'{write_value(target, field)} AS "{field.name}"' for field in NAME_FIELDS)
        selects.append(f'SELECT {columns} FROM "{target.name}"')
    return f"({' UNION ALL '.join(selects)})"


def write_value(target: SObject, field: Field) -> str:
    """Return the SQL of a field of Name for the records of one object; NULL when the object has no such field."""
    collation = " COLLATE NOCASE" if field.is_text else ""
    if field.name == "Type":
        return f"'{target.name}'{collation}"
    own = target.name_field if field.name_field else target.find_field(field.name)
    return f'"{own.name}"{collation}' if own is not None else f"NULL{collation}"
