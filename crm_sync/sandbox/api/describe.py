"""Descriptions of objects and fields, as the CRM's describe calls return them."""

from typing import Any

from crm_sync.sandbox.data.schema import OBJECTS, Field, SObject, list_references_to

SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
    "double": "xsd:double",
}


def describe_field(field: Field) -> dict[str, Any]:
    """Return the description of a field, with every key that the real CRM sends."""
    writable = not field.read_only and field.type != "id"
    return {
        "aggregatable": field.type != "boolean",
        "aiPredictionField": False,
        "autoNumber": bool(field.auto_number),
        "byteLength": 3 * field.length if field.is_text else field.length,
        "calculated": False,
        "calculatedFormula": None,
        "cascadeDelete": False,
        "caseSensitive": field.case_sensitive,
        "compoundFieldName": None,
        "controllerName": None,
        "createable": writable,
        "custom": field.custom,
        "defaultValue": field.default if isinstance(field.default, bool) else None,
        "defaultValueFormula": None,
        "defaultedOnCreate": field.default is not None or bool(field.auto_number) or field.read_only,
        "dependentPicklist": False,
        "deprecatedAndHidden": False,
        "digits": 0,
        "displayLocationInDecimal": False,
        "encrypted": False,
        "externalId": field.external_id,
        "extraTypeInfo": "plaintextarea" if field.type == "textarea" else None,
        "filterable": True,
        "filteredLookupInfo": None,
        "formulaTreatNullNumberAsZero": False,
        "groupable": field.type not in {"datetime", "textarea"},
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
        "namePointing": False,
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
        "polymorphicForeignKey": False,
        "precision": 18 if field.type == "double" else 0,
        "queryByDistance": False,
        "referenceTargetField": None,
        "referenceTo": [field.reference_to] if field.reference_to else [],
        "relationshipName": field.relationship or None,
        "relationshipOrder": None,
        "restrictedDelete": bool(field.reference_to) and field.required,
        "restrictedPicklist": bool(field.picklist),
        "scale": 0,
        "searchPrefilterable": bool(field.reference_to),
        "soapType": SOAP_TYPES.get(field.type, "xsd:string"),
        "sortable": True,
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
            for child, field in list_references_to(sobject)
        ],
        "compactLayoutable": True,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [describe_field(field) for field in sobject.fields],
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
                "recordTypeId": "012000000000000AAA",
                "urls": {"layout": f"{base_path}/sobjects/{sobject.name}/describe/layouts/012000000000000AAA"},
            }
        ],
        "searchLayoutable": True,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [
            {"label": f"All {sobject.label_plural.lower()}", "name": "everything"},
            {"label": f"My {sobject.label_plural.lower()}", "name": "mine"},
        ],
    }


def describe_global(*, base_path: str) -> dict[str, Any]:
    """Return the descriptions of all objects in brief."""
    return {
        "encoding": "UTF-8",
        "maxBatchSize": 200,
        "sobjects": [describe_briefly(sobject, base_path=base_path) for sobject in OBJECTS],
    }
