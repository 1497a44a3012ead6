"""Layouts and compact layouts of objects, which follow from their fields: nobody arranges them in the sandbox.

Source: "sObject Layouts" and "sObject CompactLayouts" of the REST API Developer Guide, and `describeLayout()` in the
SOAP API Developer Guide. There is one layout and one record type, the master, for every object.
"""

from collections.abc import Sequence
from typing import Any

from crm_sync.sandbox.api.describe import MASTER_RECORD_TYPE, describe_field
from crm_sync.sandbox.data.fields import SYSTEM_FIELDS, Field, SObject
from crm_sync.sandbox.data.ids import build_id, normalise_id
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import ApiRequest, ApiResponse

LAYOUT_PREFIX = "00h"
SECTION_PREFIX = "01B"
COLUMNS = 2
COMPACT_FIELDS = 4
RELATED_COLUMNS = 4
RELATED_ROWS = 5
# Most objects that one call of `/compactLayouts` takes.
MAX_OBJECTS = 100
LEFT_OUT = frozenset({"Id", "IsDeleted", "SystemModstamp", "CreatedDate", "LastModifiedDate"})
SYSTEM_COMPACT_LAYOUT = "SYSTEM"


# -- layouts ------------------------------------------------------------------------------------------


def list_layouts(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe/layouts."""
    sobject = request.find_sobject(name)
    layout = describe_layout(request, sobject)
    mapping = {
        "active": True,
        "available": True,
        "defaultRecordTypeMapping": True,
        "developerName": "Master",
        "layoutId": layout["id"],
        "master": True,
        "name": "Master",
        "picklistsForRecordType": [],
        "recordTypeId": MASTER_RECORD_TYPE,
        "urls": {"layout": f"{request.base_path}/sobjects/{sobject.name}/describe/layouts/{MASTER_RECORD_TYPE}"},
    }
    return ApiResponse({"layouts": [layout], "recordTypeMappings": [mapping], "recordTypeSelectorRequired": [False]})


def read_layout(request: ApiRequest, *, name: str, record_type: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe/layouts/<record type>. Raises ApiError `NOT_FOUND` for any but the master."""
    check_record_type(record_type)
    return ApiResponse(describe_layout(request, request.find_sobject(name)))


def check_record_type(record_type: str) -> None:
    """Raise ApiError `NOT_FOUND` for the id of any record type but the master."""
    if normalise_id(record_type) != MASTER_RECORD_TYPE:
        raise not_found()


def describe_layout(request: ApiRequest, sobject: SObject) -> dict[str, Any]:
    """Return the layout of an object: its own fields, then those of the system, and its related lists."""
    number = 1 + request.organisation.schema.objects.index(sobject)
    own = [field for field in sobject.fields if field.name not in SYSTEM_FIELDS]
    system = [field for field in sobject.fields if field.name in SYSTEM_FIELDS and field.name not in LEFT_OUT]
    sections = [("Information", own), ("System Information", system)]
    identifiers = [
        build_id(key_prefix=SECTION_PREFIX, pod=request.organisation.pod, number=2 * number + offset)
        for offset in range(len(sections))
    ]
    layout_id = build_id(key_prefix=LAYOUT_PREFIX, pod=request.organisation.pod, number=number)
    described = [
        describe_section(sobject, heading, fields, section_id=section_id, layout_id=layout_id)
        for (heading, fields), section_id in zip(sections, identifiers, strict=True)
    ]
    return {
        "buttonLayoutSection": {"detailButtons": []},
        "detailLayoutSections": described,
        "editLayoutSections": described,
        "feedView": None,
        "highlightsPanelLayoutSection": None,
        "id": layout_id,
        "multirowEditLayoutSections": [],
        "offlineLinks": [],
        "quickActionList": {"quickActionListItems": []},
        "relatedContent": None,
        "relatedLists": [
            describe_related_list(child, field) for child, field in sobject.schema.list_references_to(sobject)
        ],
        "saveOptions": [],
    }


def describe_section(
    sobject: SObject, heading: str, fields: Sequence[Field], *, section_id: str, layout_id: str
) -> dict[str, Any]:
    """Return a section of a layout with fields in two columns."""
    items = [describe_item(sobject, field, tab_order=number) for number, field in enumerate(fields, start=1)]
    rows = [items[start : start + COLUMNS] for start in range(0, len(items), COLUMNS)]
    return {
        "collapsed": False,
        "columns": COLUMNS,
        "heading": heading,
        "layoutRows": [{"layoutItems": row, "numItems": len(row)} for row in rows],
        "layoutSectionId": section_id,
        "parentLayoutId": layout_id,
        "rows": len(rows),
        "tabOrder": "LeftToRight",
        "useCollapsibleSection": False,
        "useHeading": True,
    }


def describe_item(sobject: SObject, field: Field, *, tab_order: int) -> dict[str, Any]:
    """Return a field as it stands in a layout."""
    details = describe_field(field, compound=sobject.compound_names.get(field.name))
    return {
        "editableForNew": details["createable"],
        "editableForUpdate": details["updateable"],
        "label": field.label,
        "layoutComponents": [
            {
                "details": details,
                "displayLines": 1,
                "tabOrder": tab_order,
                "type": "Field",
                "value": field.name,
            }
        ],
        "placeholder": False,
        "required": field.required,
    }


def describe_related_list(child: SObject, reference: Field) -> dict[str, Any]:
    """Return the list of the records of an object that refer to the record of the layout."""
    shown = [field for field in child.fields if field.name not in SYSTEM_FIELDS and field is not reference]
    shown = [child.name_field, *(field for field in shown if not field.name_field)][:RELATED_COLUMNS]
    columns = [
        {
            "field": f"{child.name}.{field.name}",
            "fieldApiName": field.name,
            "format": field.type if field.type in {"date", "datetime"} else None,
            "label": field.label,
            "lookupId": f"{child.name}.Id" if field.name_field else None,
            "name": field.name,
        }
        for field in shown
    ]
    return {
        "accessLevelRequiredForCreate": None,
        "buttons": [],
        "columns": columns,
        "custom": child.custom,
        "field": reference.name,
        "label": child.label_plural,
        "limitRows": RELATED_ROWS,
        "name": reference.child_relationship or None,
        "sobject": child.name,
        "sort": [],
    }


# -- compact layouts ----------------------------------------------------------------------------------


def list_compact_layouts(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe/compactLayouts."""
    sobject = request.find_sobject(name)
    address = f"{request.base_path}/sobjects/{sobject.name}/describe/compactLayouts"
    mapping = {
        "available": True,
        "compactLayoutId": None,
        "compactLayoutName": SYSTEM_COMPACT_LAYOUT,
        "recordTypeId": MASTER_RECORD_TYPE,
        "recordTypeName": "Master",
        "urls": {"compactLayout": f"{address}/{MASTER_RECORD_TYPE}"},
    }
    return ApiResponse(
        {
            "compactLayouts": [describe_compact_layout(sobject)],
            "defaultCompactLayoutId": None,
            "recordTypeCompactLayoutMappings": [mapping],
            "urls": {"primary": f"{address}/primary"},
        }
    )


def read_primary(request: ApiRequest, *, name: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe/compactLayouts/primary."""
    return ApiResponse(describe_compact_layout(request.find_sobject(name)))


def read_compact_layout(request: ApiRequest, *, name: str, record_type: str) -> ApiResponse:
    """Answer GET /sobjects/X/describe/compactLayouts/<record type>. Raises ApiError for any but the master."""
    check_record_type(record_type)
    return read_primary(request, name=name)


def list_primaries(request: ApiRequest) -> ApiResponse:
    """Answer GET /compactLayouts?q=X,Y with the primary compact layout of each object. Raises ApiError."""
    names = [name.strip() for name in request.query.get("q", "").split(",") if name.strip()]
    if not 1 <= len(names) <= MAX_OBJECTS:
        raise ApiError("ILLEGAL_QUERY_PARAMETER_VALUE", f"q must name 1 to {MAX_OBJECTS} objects: ?q=Account,Contact")
    found = [request.find_sobject(name) for name in names]
    return ApiResponse({sobject.name: describe_compact_layout(sobject) for sobject in found})


def describe_compact_layout(sobject: SObject) -> dict[str, Any]:
    """Return the compact layout that the system makes: the name and the first fields of the object."""
    others = [field for field in sobject.fields if field.name not in SYSTEM_FIELDS and not field.name_field]
    shown = [sobject.name_field, *others][:COMPACT_FIELDS]
    items = [describe_item(sobject, field, tab_order=number) for number, field in enumerate(shown, start=1)]
    for item in items:
        item["editableForNew"] = item["editableForUpdate"] = item["required"] = False
    return {
        "actions": [],
        "fieldItems": items,
        "id": None,
        "imageItems": [],
        "label": "System Default",
        "name": SYSTEM_COMPACT_LAYOUT,
        "objectType": sobject.name,
    }
