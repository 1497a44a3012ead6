"""The XML of Bulk API 1.0."""

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.force.com/2009/06/asyncapi/dataload"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def parse_xml(text: str) -> ET.Element:
    """Return the root of a document. Raises ValueError for text that is no XML, or has a document type."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type is not allowed")
    try:
        return ET.fromstring(text)  # noqa: S314  without a document type there is nothing to expand
    except ET.ParseError as error:
        raise ValueError(str(error)) from error


def name_of(element: ET.Element) -> str:
    """Return the name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def read_xml(text: str) -> dict[str, Any]:
    """Return the children of the root and their texts. Raises ValueError."""
    return {name_of(child): (child.text or "").strip() for child in parse_xml(text)}


def read_xml_rows(text: str) -> list[dict[str, Any]]:
    """Return the records of `<sObjects>`; a reference by external id is nested. Raises ValueError."""
    return [read_xml_row(element) for element in parse_xml(text)]


def read_xml_row(element: ET.Element) -> dict[str, Any]:
    """Return one record."""
    values: dict[str, Any] = {}
    for child in element:
        if child.get(NIL) == "true":
            values[name_of(child)] = None
        elif len(child):
            inner = child[0] if name_of(child[0]) == "sObject" else child
            values[name_of(child)] = {key: value for key, value in read_xml_row(inner).items() if key != "type"}
        else:
            values[name_of(child)] = child.text or ""
    return values


def write_xml(name: str, content: Any) -> bytes:
    """Return a document with a root of this name. Lists become repeated elements, None an element left out."""
    root = ET.Element(name, xmlns=NAMESPACE)
    fill_element(root, content)
    document: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return document


def fill_element(element: ET.Element, content: Any) -> None:
    """Give an element the children or the text that its content has."""
    if not isinstance(content, Mapping):
        element.text = str(content).lower() if isinstance(content, bool) else str(content)
        return
    for name, value in content.items():
        for each in value if isinstance(value, list) else [value]:
            if each is not None:
                fill_element(ET.SubElement(element, name), each)
