"""Records in the SOAP API: what clients send as `sObject`, and what they are sent."""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from xml.etree import ElementTree as ET

from crm_sync.sandbox.api.describe import SOAP_TYPES
from crm_sync.sandbox.api.soap_envelope import SoapRequestError, is_nil, name_of, refuse_value
from crm_sync.sandbox.data.fields import SObject
from crm_sync.sandbox.data.records import list_writers
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.errors import ApiError

STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.000\+0000", re.ASCII)
BOOLEANS = {"1": "true", "0": "false"}


def find_type(schema: Schema, name: str) -> SObject:
    """Return the object with this name in any case. Raises ApiError `INVALID_TYPE`."""
    sobject = schema.find(name)
    if sobject is None:
        raise ApiError(
            "INVALID_TYPE",
            f"sObject type '{name}' is not supported. If you are attempting to use a custom object, be sure to append "
            "the '__c' after the entity name. Please reference your WSDL or the describe call for the appropriate "
            "names.",
        )
    return sobject


# -- received -----------------------------------------------------------------------------------------


def read_sobject(element: ET.Element) -> dict[str, Any]:
    """Return an `sObject` in the form that the REST API takes records in.

    As in the real API, fields that are empty or null are passed over; those that `fieldsToNull` names are null.
    """
    record: dict[str, Any] = {}
    emptied: list[str] = []
    for child in element:
        name = name_of(child)
        text = child.text or ""
        if name == "type":
            record["attributes"] = {"type": text.strip()}
        elif name == "fieldsToNull":
            emptied.append(text.strip())
        elif len(child):
            record[name] = read_sobject(child)
        elif text and not is_nil(child):
            record[name] = text
    return record | dict.fromkeys(filter(None, emptied))


def read_sobjects(schema: Schema, elements: Sequence[ET.Element]) -> list[dict[str, Any]]:
    """Return the records of a call, each with its type. Raises ApiError `INVALID_TYPE`."""
    records = [read_sobject(element) for element in elements]
    for record in records:
        name = record.get("attributes", {}).get("type")
        if not name:
            raise ApiError("INVALID_TYPE", "Must send a concrete entity type.")
        sobject = find_type(schema, name)
        for key, value in record.items():
            field = sobject.find_field(key)
            if field is not None and field.type == "boolean" and value in BOOLEANS:
                record[key] = BOOLEANS[value]
    return records


@contextmanager
def explain_values(schema: Schema, records: Sequence[Mapping[str, Any]]) -> Iterator[None]:
    """Turn the REST API's error for a value of the wrong type into that of the SOAP API. Raises SoapRequestError."""
    try:
        yield
    except ApiError as error:
        if error.code != "JSON_PARSER_ERROR":
            raise
        raise find_wrong_value(schema, records) or SoapRequestError(error.message) from None


def find_wrong_value(schema: Schema, records: Sequence[Mapping[str, Any]]) -> SoapRequestError | None:
    """Return the error that names the first text of a type that its field does not take, or None."""
    for record in records:
        sobject = find_type(schema, record["attributes"]["type"])
        for name, value in record.items():
            field = sobject.find_field(name)
            if field is None or not isinstance(value, str):
                continue
            try:
                list_writers(sobject)[field.name][1](value)
            except ApiError as error:
                if error.code == "JSON_PARSER_ERROR":
                    return refuse_value(value, kind=SOAP_TYPES.get(field.type, "xsd:string"))
    return None


# -- sent ---------------------------------------------------------------------------------------------


def shape_record(schema: Schema, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record as the content of an element. `sf:Id` is always there, and once more where it was asked for."""
    name = record["attributes"]["type"]
    sobject = schema.find(name)
    shaped: dict[str, Any] = {"@type": "sf:sObject", "sf:type": name, "sf:Id": None}
    for key, value in record.items():
        if key == "attributes":
            continue
        if key == "Id" and sobject is not None:
            shaped["sf:Id"] = [value, value]
        else:
            shaped[f"sf:{key}"] = shape_value(schema, sobject, key, value)
    return shaped


def shape_value(schema: Schema, sobject: SObject | None, key: str, value: Any) -> Any:
    """Return one value of a record. `sobject` is None for the groups of an aggregate, whose values have types."""
    if value is None:
        return None
    if isinstance(value, Mapping):
        if "records" in value:
            return shape_page(schema, value)
        if "attributes" in value:
            return shape_record(schema, value)
        compound = sobject.find_compound(key) if sobject is not None else None
        return {"@type": compound.type, **value} if compound is not None else value
    if sobject is None:
        return type_value(value)
    field = sobject.find_field(key)
    return write_stamp(value) if field is not None and field.type == "datetime" else value


def type_value(value: Any) -> dict[str, Any]:
    """Return a value of a group, with the type that tells what it is."""
    if isinstance(value, bool):
        kind = "boolean"
    elif isinstance(value, int):
        kind = "int"
    elif isinstance(value, float):
        kind = "double"
    else:
        kind = "dateTime" if STAMP.fullmatch(value) else "string"
    return {"@type": f"xsd:{kind}", "@text": write_stamp(value) if kind == "dateTime" else value}


def write_stamp(value: str) -> str:
    """Return a datetime of the REST API, such as `2012-07-12T17:49:01.000+0000`, as the SOAP API writes it."""
    return value.removesuffix("+0000") + "Z" if value.endswith("+0000") else value


def shape_page(schema: Schema, page: Mapping[str, Any]) -> dict[str, Any]:
    """Return a page of a query as the content of a `QueryResult`."""
    address = page.get("nextRecordsUrl")
    return {
        "@type": "QueryResult",
        "done": page["done"],
        "queryLocator": address.rpartition("/")[2] if address else None,
        "records": [shape_record(schema, record) for record in page["records"]],
        "size": page["totalSize"],
    }
