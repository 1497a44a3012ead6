"""A plain client of the SOAP API: it sends envelopes that are written out, and reads what comes back."""

from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

import requests

from crm_sync.sandbox import RunningSandbox

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns="urn:partner.soap.sforce.com" '
    'xmlns:sf="urn:sobject.partner.soap.sforce.com" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
    "<soapenv:Header>{header}</soapenv:Header><soapenv:Body>{body}</soapenv:Body></soapenv:Envelope>"
)


def post_document(
    sandbox: RunningSandbox, document: bytes, *, path: str = "u/60.0", **headers: str
) -> requests.Response:
    """Return the answer to a document, whatever is in it."""
    standard = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
    sent = {name: value for name, value in (standard | headers).items() if value}
    return requests.post(f"{sandbox.base_url}/services/Soap/{path}", data=document, headers=sent, timeout=30)


def post_envelope(
    sandbox: RunningSandbox, body: str, *, header: str = "", path: str = "u/60.0", **headers: str
) -> requests.Response:
    """Return the answer to an envelope with this body and header."""
    return post_document(sandbox, ENVELOPE.format(header=header, body=body).encode(), path=path, **headers)


def read_content(element: ET.Element) -> Any:
    """Return an element as values: text, None for null, or a mapping whose repeated elements are lists."""
    if element.get(NIL) == "true":
        return None
    if not len(element):
        return element.text or ""
    content: dict[str, Any] = {}
    for child in element:
        name = child.tag.rpartition("}")[2]
        value = read_content(child)
        if name not in content:
            content[name] = value
        else:
            before = content[name]
            content[name] = [*before, value] if isinstance(before, list) else [before, value]
    return content


def parse_body(response: requests.Response) -> ET.Element:
    """Return what is in the body of an envelope."""
    root = ET.fromstring(response.content)  # noqa: S314  the sandbox's own answer
    [content] = root.findall("{http://schemas.xmlsoap.org/soap/envelope/}Body/*")
    return content


def describe_fault(response: requests.Response) -> tuple[int, str, str]:
    """Return status, fault code and message of a refused call."""
    fault = read_content(parse_body(response))
    return response.status_code, fault["faultcode"], fault["faultstring"]


@dataclass
class SoapApi:
    """Calls the SOAP API in the session of a token."""

    sandbox: RunningSandbox
    token: str

    def post(self, body: str, *, header: str = "", **headers: str) -> requests.Response:
        """Return the answer to a call."""
        session = f"<SessionHeader><sessionId>{self.token}</sessionId></SessionHeader>"
        return post_envelope(self.sandbox, body, header=session + header, **headers)

    def call(self, body: str, *, header: str = "") -> list[Any]:
        """Return the results of a call. Asserts that it succeeds."""
        response = self.post(body, header=header)
        assert response.status_code == 200, response.text
        return [read_content(child) for child in parse_body(response)]

    def create(self, name: str, **values: str) -> str:
        """Create a record and return its id. Asserts that it succeeds."""
        [result] = self.call(f"<create>{write_sobject(name, **values)}</create>")
        assert result["success"] == "true", result
        return str(result["id"])


def write_sobject(name: str, *, element: str = "sObjects", **values: str) -> str:
    """Return an `sObject` with these values, which are XML already."""
    fields = "".join(f"<sf:{key}>{value}</sf:{key}>" for key, value in values.items())
    return f"<{element}><sf:type>{name}</sf:type>{fields}</{element}>"


def list_codes(result: dict[str, Any]) -> list[str]:
    """Return the status codes of a result's errors."""
    errors = result.get("errors", [])
    return [error["statusCode"] for error in (errors if isinstance(errors, list) else [errors])]
