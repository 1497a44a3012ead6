"""The objects of the Tooling API that tell of an organisation's objects and fields, as rows that queries can read.

Source: "EntityDefinition" and "FieldDefinition" in the Tooling API reference. The rows are in temporary tables, made
from the schema when the first of these queries comes.
"""

# ruff: noqa: S608  names in SQL come from this module alone; every value is a parameter

from collections.abc import Iterator

from crm_sync.sandbox.data.database import write_column
from crm_sync.sandbox.data.fields import Field, Schema, SObject, text
from crm_sync.sandbox.data.organisation import Organisation

# Ids of fields are as long as the names of an object and a field.
ID_LENGTH = 121


def flag(name: str, label: str) -> Field:
    """Return a checkbox."""
    return Field(name, label, "boolean")


def define(name: str, plural: str, *fields: Field) -> SObject:
    """Return an object of the catalogue. Its ids are names, which are compared as texts."""
    shared = (
        text("Id", "ID", ID_LENGTH),
        text("DurableId", "Durable ID", ID_LENGTH),
        text("QualifiedApiName", "Qualified API Name", 70, name_field=True),
        text("DeveloperName", "Developer Name", 70),
        text("MasterLabel", "Master Label", 80),
        text("Label", "Label", 80),
        text("NamespacePrefix", "Namespace Prefix", 15),
    )
    return SObject(name, name, plural, "", (*shared, *fields), createable=False, deletable=False)


ENTITY = define(
    "EntityDefinition",
    "EntityDefinitions",
    text("PluralLabel", "Plural Label", 80),
    text("KeyPrefix", "Key Prefix", 3),
    flag("IsCustomizable", "Is Customizable"),
    flag("IsCustomSetting", "Is Custom Setting"),
    flag("IsQueryable", "Is Queryable"),
    flag("IsRetrieveable", "Is Retrieveable"),
    flag("IsSearchable", "Is Searchable"),
    flag("IsLayoutable", "Is Layoutable"),
    flag("IsCompactLayoutable", "Is Compact Layoutable"),
    flag("IsDeprecatedAndHidden", "Is Deprecated And Hidden"),
    flag("IsEverCreatable", "Is Ever Creatable"),
    flag("IsEverUpdatable", "Is Ever Updatable"),
    flag("IsEverDeletable", "Is Ever Deletable"),
)
FIELD = define(
    "FieldDefinition",
    "FieldDefinitions",
    Field(
        "EntityDefinitionId",
        "Entity Definition ID",
        "string",
        ID_LENGTH,
        reference_to="EntityDefinition",
        relationship="EntityDefinition",
        child_relationship="Fields",
    ),
    text("DataType", "Data Type", 4_000),
    text("ValueTypeId", "Value Type ID", 30),
    Field("Length", "Length", "int"),
    Field("Scale", "Scale", "int"),
    text("RelationshipName", "Relationship Name", 80),
    flag("IsNameField", "Is Name Field"),
    flag("IsNillable", "Is Nillable"),
    flag("IsCalculated", "Is Calculated"),
    flag("IsCompound", "Is Compound"),
    flag("IsIndexed", "Is Indexed"),
    flag("IsPolymorphicForeignKey", "Is Polymorphic Foreign Key"),
)
CATALOGUE = Schema((ENTITY, FIELD))

# Data types in the words of the pages of the CRM, with length, or digits before and after the point.
DATA_TYPES = {
    "address": "Address",
    "boolean": "Checkbox",
    "combobox": "Picklist",
    "currency": "Currency({whole}, {scale})",
    "date": "Date",
    "datetime": "Date/Time",
    "double": "Number({whole}, {scale})",
    "email": "Email",
    "encryptedstring": "Text (Encrypted)({length})",
    "id": "Id",
    "int": "Number(9, 0)",
    "location": "Geolocation",
    "long": "Number(18, 0)",
    "multipicklist": "Picklist (Multi-Select)",
    "percent": "Percent({whole}, {scale})",
    "phone": "Phone",
    "picklist": "Picklist",
    "string": "Text({length})",
    "textarea": "Long Text Area({length})",
    "time": "Time",
    "url": "URL({length})",
}
DIGITS = 18


def fill_catalogue(organisation: Organisation) -> None:
    """Make the tables of the catalogue from the organisation's schema, unless they are there."""
    database = organisation.database
    with database.transaction():
        if database.fetch_one("SELECT 1 FROM sqlite_temp_master WHERE name = ?", (FIELD.name,)):
            return
        schema = organisation.schema
        rows = {
            ENTITY.name: [describe_entity(each) for each in schema.objects],
            FIELD.name: [row for each in schema.objects for row in describe_fields(each)],
        }
        for each in CATALOGUE.objects:
            columns = ", ".join(write_column(field) for field in each.fields)
            database.execute(f'CREATE TEMP TABLE "{each.name}" ({columns})')
            names = [field.name for field in each.fields]
            database.execute_many(
                f'INSERT INTO temp."{each.name}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))})',
                [[row.get(name, 0) for name in names] for row in rows[each.name]],
            )


def describe_names(identifier: str, name: str, label: str) -> dict[str, object]:
    """Return the fields that both objects of the catalogue have."""
    developer_name = name.removesuffix("__c").removesuffix("__s")
    return {
        "Id": identifier,
        "DurableId": identifier,
        "QualifiedApiName": name,
        "DeveloperName": developer_name,
        "MasterLabel": label,
        "Label": label,
        "NamespacePrefix": None,
    }


def describe_entity(sobject: SObject) -> dict[str, object]:
    """Return the row of an object."""
    return {
        **describe_names(sobject.name, sobject.name, sobject.label),
        "PluralLabel": sobject.label_plural,
        "KeyPrefix": sobject.key_prefix,
        "IsCustomizable": int(sobject.createable),
        "IsQueryable": 1,
        "IsRetrieveable": 1,
        "IsSearchable": 1,
        "IsLayoutable": 1,
        "IsCompactLayoutable": 1,
        "IsEverCreatable": int(sobject.createable),
        "IsEverUpdatable": int(sobject.createable),
        "IsEverDeletable": int(sobject.deletable),
    }


def describe_fields(sobject: SObject) -> Iterator[dict[str, object]]:
    """Return the row of each field of an object."""
    for field in sobject.readable_fields:
        indexed = field.external_id or field.unique or field.name_field or field.type in {"id", "reference"}
        yield {
            **describe_names(f"{sobject.name}.{field.name}", field.name, field.label),
            "EntityDefinitionId": sobject.name,
            "DataType": name_data_type(field),
            "ValueTypeId": field.type,
            "Length": field.length,
            "Scale": field.scale,
            "RelationshipName": field.relationship or None,
            "IsNameField": int(field.name_field),
            "IsNillable": int(not field.required and field.type not in {"id", "boolean"}),
            "IsCompound": int(bool(field.components)),
            "IsIndexed": int(indexed),
            "IsPolymorphicForeignKey": int(bool(field.also_refers_to)),
        }


def name_data_type(field: Field) -> str:
    """Return a field's type as the pages of the CRM name it: `Text(80)`, `Lookup(Account,Contact)`, `Auto Number`."""
    if field.auto_number:
        return "Auto Number"
    if field.reference_to:
        return f"Lookup({','.join(field.targets)})"
    return DATA_TYPES[field.type].format(length=field.length, scale=field.scale, whole=DIGITS - field.scale)
