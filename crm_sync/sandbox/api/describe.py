"""Descriptions of objects and fields, as the CRM's describe calls return them."""

from typing import Any

from crm_sync.sandbox.data.fields import Field, SObject
from crm_sync.sandbox.data.schema import Schema

# The record type of objects that have no other.
MASTER_RECORD_TYPE = "012000000000000AAA"
SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    **dict.fromkeys(("double", "currency", "percent"), "xsd:double"),
    "int": "xsd:int",
    "long": "xsd:long",
    "time": "xsd:time",
    "address": "urn:address",
    "location": "urn:location",
}


def describe_field(field: Field, *, compound: str | None = None) -> dict[str, Any]:
    """Return the description of a field, with every key that the real CRM sends.

    `compound`: the name of the address or location that it is a part of.
    """
    writable = not field.read_only and field.type != "id"
    return {
        "aggregatable": field.aggregatable,
        "aiPredictionField": False,
        "autoNumber": bool(field.auto_number),
        "byteLength": 3 * field.length if field.is_text else field.length,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": compound,
        "controllerName": None,
        "createable": writable,
        "custom": field.custom,
        "defaultValue": field.default if isinstance(field.default, bool) else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": field.default is not None
        or bool(field.auto_number)
        or (field.read_only and not field.components),
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": 8 if field.type == "int" else 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": field.external_id,
        "extraTypeInfo": "plaintextarea" if field.type == "textarea" else None,
        "filterable": True,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": field.groupable,
        "highScaleNumber": False,
        "htmlFormatted": False,
        "idLookup": field.external_id or field.type == "id",
        "inlineHelpText": None,
        "label": field.label,
        "length": field.length,
        "mask": None,
        "maskType": None,
        "name": field.name,
        "nameField": field.name_field,
        "namePointing": bool(field.also_refers_to),
        "nillable": not field.required
        and field.type not in {"id", "boolean"}
        and not (field.read_only and field.type in {"datetime", "reference"}),
        "permissionable": field.custom and not field.required,
        "picklistValues": [
            {
                "active": True,
                "defaultValue": value == field.default,
                "label": label,
                "validFor": None,
                "value": value,
            }
            for value, label in field.picklist
        ],
        "polymorphicForeignKey": bool(field.also_refers_to),
        "precision": 18 if field.is_number and field.type != "int" else 0,
        "queryByDistance": bool(field.components),
        "referenceTargetField": None,
        "referenceTo": list(field.targets),
        "relationshipName": field.relationship or None,
        "relationshipOrder": None,
        "restrictedDelete": bool(field.reference_to) and field.required,
        "restrictedPicklist": bool(field.picklist) and field.restricted,
        "scale": field.scale,
        "searchPrefilterable": bool(field.reference_to),
        "soapType": SOAP_TYPES.get(field.type, "xsd:string"),
        "sortable": not field.components,
        "type": field.type,
        "unique": field.unique,
        "updateable": writable,
        "writeRequiresMasterRead": False,
    }


def describe_briefly(sobject: SObject, *, base_path: str) -> dict[str, Any]:
    """Return an object's entry in describeGlobal."""
    address = f"{base_path}/sobjects/{sobject.name}"
    return {
        "activateable": False,
        "associateEntityType": None,
        "associateParentEntity": None,
        "createable": sobject.createable,
        "custom": sobject.custom,
        "customSetting": False,
        "deepCloneable": False,
        "deletable": sobject.deletable,
        "deprecatedAndHidden": False,
        "feedEnabled": False,
        "hasSubtypes": False,
        "isInterface": False,
        "isSubtype": False,
        "keyPrefix": sobject.key_prefix,
        "label": sobject.label,
        "labelPlural": sobject.label_plural,
        "layoutable": True,
        "mergeable": False,
        "mruEnabled": True,
        "name": sobject.name,
        "queryable": True,
        "replicateable": True,
        "retrieveable": True,
        "searchable": True,
        "triggerable": True,
        "undeletable": sobject.deletable,
        "updateable": sobject.createable,
        "urls": {
            "sobject": address,
            "describe": f"{address}/describe",
            "rowTemplate": f"{address}/{{ID}}",
            "layouts": f"{address}/describe/layouts",
            "compactLayouts": f"{address}/describe/compactLayouts",
            "listviews": f"{address}/listviews",
        },
    }


def describe_object(sobject: SObject, *, base_path: str) -> dict[str, Any]:
    """Return the full description of an object."""
    return {
        "actionOverrides": [],
        **describe_briefly(sobject, base_path=base_path),
        "childRelationships": [
            {
                "cascadeDelete": False,
                "childSObject": child.name,
                "deprecatedAndHidden": False,
                "field": field.name,
                "junctionIdListNames": [],
                "junctionReferenceTo": [],
                "relationshipName": field.child_relationship or None,
                "restrictedDelete": field.required,
            }
            for child, field in sobject.schema.list_references_to(sobject)
        ],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [
            describe_field(field, compound=sobject.compound_names.get(field.name)) for field in sobject.readable_fields
        ],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [
            {
                "active": True,
                "available": True,
                "defaultRecordTypeMapping": True,
                "developerName": "Master",
                "master": True,
                "name": "Master",
                "recordTypeId": MASTER_RECORD_TYPE,
                "urls": {"layout": f"{base_path}/sobjects/{sobject.name}/describe/layouts/{MASTER_RECORD_TYPE}"},
            }
        ],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": list_scopes(sobject),
    }


def list_scopes(sobject: SObject) -> list[dict[str, str]]:
    """Return the scopes of queries that an object is described with: one's own records only if they have owners."""
    plural = sobject.label_plural.lower()
    own = [{"label": f"My {plural}", "name": "mine"}] if sobject.find_field("OwnerId") else []
    return [{"label": f"All {plural}", "name": "everything"}, *own]


def describe_global(schema: Schema, *, base_path: str) -> dict[str, Any]:
    """Return the descriptions of all objects in brief."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [describe_briefly(sobject, base_path=base_path) for sobject in schema.objects],
    }
