"""Objects from files: what an organisation describes, metadata of its objects, or a short form of one's own.

- `.json`: the answer of `describe` for one object, or a list of them;
- `.object`, `.object-meta.xml`: a CustomObject of the Metadata API;
- `.yaml`, `.yml`: `Name: {label: …, fields: {Field__c: {type: …, length: …}}}`.

Which lookup leads where is kept; formulas are described and stay empty, since they are not computed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import yaml

from crm_sync.sandbox.data.catalogue import CATALOGUE
from crm_sync.sandbox.data.compounds import (
    COMPOUND_TYPES,
    COORDINATE_SCALE,
    define_compound,
    define_coordinates,
)
from crm_sync.sandbox.data.fields import SYSTEM_FIELDS, Field, SObject, define_object
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.data.standard_objects import STANDARD_OBJECTS
from crm_sync.sandbox.data.values import MAKERS
from crm_sync.sandbox.data.vendor_objects import VENDOR_OBJECTS

NAMED = {"vendor": VENDOR_OBJECTS, "standard": STANDARD_OBJECTS}
# What field paths through several objects lead to, and the objects of the Tooling API.
TAKEN = frozenset({"Name", *(each.name for each in CATALOGUE.objects)})
DEFAULT_LENGTH = 255
REFERENCES = frozenset({"reference", "lookup", "masterdetail", "hierarchy"})
# Types of the Metadata API, by the words of `describe`.
METADATA_TYPES = {
    "autonumber": "string",
    "checkbox": "boolean",
    "date": "date",
    "datetime": "datetime",
    "email": "email",
    "encryptedtext": "encryptedstring",
    "html": "textarea",
    "longtextarea": "textarea",
    "multiselectpicklist": "multipicklist",
    "number": "double",
    "text": "string",
}


def read_schema(sources: Iterable[str]) -> Schema:
    """Return the schema of some named objects and files. Raises ValueError that names the file and what is wrong."""
    objects: list[SObject] = []
    for source in sources:
        if source in NAMED:
            objects += NAMED[source]
            continue
        path = Path(source)
        try:
            text = path.read_text(encoding="utf-8")
            objects += [build_object(each, number=len(objects)) for each in read_definitions(path, text)]
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"{source}: it cannot be read: {error}") from error
        except (ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError, ET.ParseError) as error:
            raise ValueError(f"{source}: {error}") from error
    if not any(each.name == "User" for each in objects):
        objects += [each for each in VENDOR_OBJECTS if each.name == "User"]
    return Schema(objects)


def read_definitions(path: Path, text: str) -> list[dict[str, Any]]:
    """Return the objects of a file in the form of `describe`. Raises ValueError for a file of another kind."""
    if path.suffix == ".json":
        found = json.loads(text)
        return found if isinstance(found, list) else [found]
    if path.name.endswith((".object", ".object-meta.xml")):
        return [read_metadata(path.name.partition(".")[0], text)]
    if path.suffix in {".yaml", ".yml"}:
        found = yaml.safe_load(text)
        if not isinstance(found, dict):
            raise ValueError("a mapping of objects is expected")
        return [
            {"name": name, **content, "fields": [{"name": key, **value} for key, value in content["fields"].items()]}
            for name, content in found.items()
        ]
    raise ValueError("name it vendor, standard, or a file that ends in .json, .object or .yaml")


def build_object(described: Mapping[str, Any], *, number: int) -> SObject:
    """Return an object from its description. Raises ValueError for a field of a type that is not known."""
    name = str(described["name"])
    if name in TAKEN:
        raise ValueError(f"{name}: the sandbox has this object itself; leave it out")
    label = str(described.get("label") or name)
    own = [each for each in described["fields"] if str(each["name"]) not in SYSTEM_FIELDS]
    fields = [build_field(each) for each in own if read_kind(each) not in COMPOUND_TYPES]
    compounds = [build_compound(each, fields, own) for each in own if read_kind(each) in COMPOUND_TYPES]
    if not any(each.name_field for each in fields):
        fields.insert(0, Field("Name", f"{label} Name", "string", 80, name_field=True))
    defined = define_object(
        name,
        label,
        str(described.get("labelPlural") or described.get("label_plural") or f"{label}s"),
        key_prefix=str(described.get("keyPrefix") or described.get("key_prefix") or f"z{number:02d}"),
        fields=fields,
    )
    return replace(defined, compounds=tuple(compounds))


def read_kind(described: Mapping[str, Any]) -> str:
    """Return the type of a described field in the words of `describe`."""
    kind = str(described.get("type") or "string").lower()
    return METADATA_TYPES.get(kind, kind)


def build_compound(described: Mapping[str, Any], fields: list[Field], others: list[Mapping[str, Any]]) -> Field:
    """Return an address or location, whose parts are those of `others` that name it. Raises ValueError.

    A location without parts of its own gets the two that the CRM gives it, which are added to `fields`.
    """
    name, kind = str(described["name"]), read_kind(described)
    label = str(described.get("label") or name)
    parts = [str(each["name"]) for each in others if each.get("compoundFieldName") == name]
    if not parts and kind == "location":
        added = define_coordinates(name, label, scale=int(described.get("scale") or COORDINATE_SCALE))
        known = {each.name for each in fields}
        fields += [each for each in added if each.name not in known]
        parts = [each.name for each in added]
    if not parts:
        raise ValueError(f"{name}: an address needs fields with compoundFieldName: {name}")
    return define_compound(name, label, kind, parts=parts)


def build_field(described: Mapping[str, Any]) -> Field:
    """Return a field from its description. Raises ValueError."""
    name, kind = str(described["name"]), read_kind(described)
    if kind not in {*MAKERS, "reference"}:
        raise ValueError(f"{name}: the type {described.get('type')} is not known; choose one of {', '.join(MAKERS)}")
    targets = [str(each) for each in described.get("referenceTo") or [] if each]
    if kind == "reference" and not targets:
        raise ValueError(f"{name}: a reference needs referenceTo, a list of objects")
    values = tuple(
        (str(each["value"]), str(each.get("label") or each["value"])) if isinstance(each, Mapping) else (str(each),) * 2
        for each in described.get("picklistValues") or []
    )
    read_only = bool(described.get("calculated") or described.get("autoNumber") or described.get("createable") is False)
    default_relationship = f"{name.removesuffix('__c')}__r" if name.endswith("__c") else name.removesuffix("Id")
    return Field(
        name,
        str(described.get("label") or name),
        kind,
        int(described.get("length") or (18 if kind == "reference" else DEFAULT_LENGTH)),
        scale=int(described.get("scale") or 0),
        required=described.get("nillable") is False and kind != "boolean" and not read_only,
        external_id=bool(described.get("externalId")),
        unique=bool(described.get("unique")),
        case_sensitive=bool(described.get("caseSensitive")),
        picklist=values,
        restricted=bool(described.get("restrictedPicklist")),
        reference_to=targets[0] if targets else "",
        also_refers_to=tuple(targets[1:]),
        relationship=str(described.get("relationshipName") or default_relationship) if targets else "",
        child_relationship=str(described.get("childRelationshipName") or "") if targets else "",
        read_only=read_only,
        default=False if kind == "boolean" else None,
        auto_number=f"{name[:3].upper()}-{{:08d}}" if described.get("autoNumber") else "",
        name_field=bool(described.get("nameField")) or name == "Name",
    )


# -- metadata -----------------------------------------------------------------------------------------


def read_metadata(name: str, text: str) -> dict[str, Any]:
    """Return a CustomObject of the Metadata API in the form of `describe`. Raises ValueError."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type is not allowed")
    root = ET.fromstring(text)  # noqa: S314  without a document type there is nothing to expand
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    fields = [read_metadata_field(each) for each in root.iterfind("fields")]
    name_field = root.find("nameField")
    if name_field is not None:
        numbered = name_field.findtext("type", "") == "AutoNumber"
        label = name_field.findtext("label") or "Name"
        fields.append({"name": "Name", "label": label, "length": 80, "nameField": True, "autoNumber": numbered})
    return {
        "name": name,
        "label": root.findtext("label") or name,
        "labelPlural": root.findtext("pluralLabel"),
        "fields": fields,
    }


def read_metadata_field(element: ET.Element) -> dict[str, Any]:
    """Return one field of a CustomObject in the form of `describe`."""

    def read(name: str) -> str:
        return element.findtext(name) or ""

    kind = read("type").lower()
    if kind == "summary" or read("formula"):
        kind = {"summary": "double"}.get(kind, kind)
    target = read("referenceTo") or ("User" if kind == "hierarchy" else "")
    return {
        "name": read("fullName"),
        "label": read("label"),
        "type": "reference" if kind in REFERENCES else kind,
        "length": read("length") or None,
        "scale": read("scale") or None,
        "nillable": read("required") != "true" and kind != "masterdetail",
        "externalId": read("externalId") == "true",
        "unique": read("unique") == "true",
        "caseSensitive": read("caseSensitive") == "true",
        "calculated": bool(read("formula")) or read("type") == "Summary",
        "autoNumber": read("type") == "AutoNumber",
        "referenceTo": [target] if target else [],
        "childRelationshipName": f"{read('relationshipName')}__r" if read("relationshipName") else "",
        "restrictedPicklist": element.findtext("valueSet/restricted") == "true",
        "picklistValues": [
            {"value": each.findtext("fullName"), "label": each.findtext("label")}
            for each in element.iterfind("valueSet/valueSetDefinition/value")
        ],
    }
