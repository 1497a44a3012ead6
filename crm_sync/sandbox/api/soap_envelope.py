"""The envelopes of the SOAP API: calls are read from them, answers and faults are written into them.

Source: SOAP API Developer Guide, and the partner WSDL that every organisation offers.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

from crm_sync.sandbox.errors import ApiError

ENVELOPE_NAMESPACE = "http://schemas.xmlsoap.org/soap/envelope/"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
MAX_DEPTH = 40
MAX_ELEMENTS = 500_000
# Characters that XML 1.0 cannot hold, not even escaped.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PLACE = re.compile(r"ERROR at Row:(\d+):Column:(\d+)")
# The fault element of each error code; any other code has an UnexpectedErrorFault.
FAULTS = {
    "MALFORMED_QUERY": "MalformedQueryFault",
    "MALFORMED_SEARCH": "MalformedSearchFault",
    "INVALID_FIELD": "InvalidFieldFault",
    "INVALID_TYPE": "InvalidSObjectFault",
    "INVALID_QUERY_LOCATOR": "InvalidQueryLocatorFault",
    "MALFORMED_ID": "InvalidIdFault",
}
# Those that say where in the query the mistake is.
FAULTS_WITH_PLACE = frozenset(
    {"MalformedQueryFault", "MalformedSearchFault", "InvalidFieldFault", "InvalidSObjectFault"}
)
CLIENT_FAULT = "soapenv:Client"


class SoapRequestError(ApiError):
    """A request is no call of the SOAP API. Its fault code is `soapenv:Client`, without the CRM's own."""

    def __init__(self, message: str) -> None:
        """Keep what is wrong with the request."""
        super().__init__(CLIENT_FAULT, message, status=500)


class LogInFaultError(ApiError):
    """A log-in is refused. Its fault is a LoginFault, whatever its code."""


# -- reading ------------------------------------------------------------------------------------------


class GuardedBuilder:
    """Builds the tree of a document. Refuses document types, with which entities come, and boundless trees."""

    def __init__(self) -> None:
        """Begin an empty tree."""
        self._builder = ET.TreeBuilder()
        self._depth = 0
        self._count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> ET.Element:
        """Open an element. Raises ValueError when it is too deep or one too many."""
        self._depth += 1
        self._count += 1
        if self._depth > MAX_DEPTH:
            raise ValueError(f"elements are nested more than {MAX_DEPTH} deep")
        if self._count > MAX_ELEMENTS:
            raise ValueError(f"there are more than {MAX_ELEMENTS:,} elements")
        return self._builder.start(tag, attributes)

    def end(self, tag: str) -> ET.Element:
        """Close an element."""
        self._depth -= 1
        return self._builder.end(tag)

    def data(self, text: str) -> None:
        """Add text."""
        self._builder.data(text)

    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        """Refuse a document type. Raises ValueError."""
        raise ValueError(f"the document type {name} is not allowed")

    def close(self) -> ET.Element:
        """Return the root."""
        return self._builder.close()


def name_of(element: ET.Element) -> str:
    """Return the name of an element without its namespace. Clients differ in the namespaces that they give."""
    return element.tag.rpartition("}")[2]


def is_nil(element: ET.Element) -> bool:
    """Whether an element says of itself that it is null."""
    return element.get(NIL) in {"true", "1"}


@dataclass(frozen=True, slots=True)
class SoapCall:
    """One call. `arguments` is the element named after it, `headers` are those of the envelope by name."""

    name: str
    arguments: ET.Element
    headers: Mapping[str, ET.Element] = field(default_factory=dict)

    def list_elements(self, *names: str) -> list[ET.Element]:
        """Return the arguments that have one of these names and are not null."""
        return [child for child in self.arguments if name_of(child) in names and not is_nil(child)]

    def list_texts(self, name: str) -> list[str]:
        """Return the texts of the arguments with this name."""
        return [(child.text or "").strip() for child in self.list_elements(name)]

    def read_text(self, name: str) -> str:
        """Return the text of the last argument with this name, or empty text."""
        return next(reversed(self.list_texts(name)), "")

    def read_header(self, header: str, name: str) -> str:
        """Return the text of an element of a header, or empty text."""
        element = self.headers.get(header)
        found = [child for child in element if name_of(child) == name] if element is not None else []
        return (found[-1].text or "").strip() if found else ""

    def read_flag(self, header: str, name: str) -> bool:
        """Return the boolean of a header, false without it. Raises SoapRequestError for other text."""
        text = self.read_header(header, name)
        if text not in {"", "0", "1", "false", "true"}:
            raise refuse_value(text, kind="xsd:boolean")
        return text in {"1", "true"}


def refuse_value(text: str, *, kind: str) -> SoapRequestError:
    """Return the error for text that is no value of its type, such as `xsd:int`."""
    return SoapRequestError(f"'{text}' is not a valid value for the type {kind}")


def parse_document(body: bytes) -> ET.Element:
    """Return the root of an XML document. Raises SoapRequestError for what is none, or is too large."""
    # The builder refuses document types in every encoding, so that there is nothing to expand.
    parser = ET.XMLParser(target=GuardedBuilder())  # noqa: S314
    try:
        parser.feed(body)
        root: ET.Element = parser.close()
    except (ET.ParseError, ValueError, LookupError) as error:
        raise SoapRequestError(f"The request is no XML that can be read: {error}") from error
    return root


def read_call(body: bytes) -> SoapCall:
    """Return the call of an envelope. Raises SoapRequestError when there is none."""
    root = parse_document(body)
    if root.tag != f"{{{ENVELOPE_NAMESPACE}}}Envelope":
        raise SoapRequestError(f"The root of the request is not an Envelope of the namespace {ENVELOPE_NAMESPACE}")
    content = root.find(f"{{{ENVELOPE_NAMESPACE}}}Body")
    if content is None or not len(content):
        raise SoapRequestError("The envelope has no Body with a call in it")
    header = root.find(f"{{{ENVELOPE_NAMESPACE}}}Header")
    headers = {} if header is None else {name_of(child): child for child in header}
    return SoapCall(name_of(content[0]), content[0], headers)


# -- writing ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two WSDLs, `partner` and `enterprise`, and the letter by which addresses name it."""

    name: str
    letter: str

    def write(self, content: str, *, header: str = "", is_fault: bool = False) -> str:
        """Return an envelope around content that is XML already."""
        kind = "fault" if is_fault else "sobject"
        return (
            '<?xml version="1.0" encoding="UTF-8"?>'
            f'<soapenv:Envelope xmlns:soapenv="{ENVELOPE_NAMESPACE}" xmlns="urn:{self.name}.soap.sforce.com" '
            f'xmlns:sf="urn:{kind}.{self.name}.soap.sforce.com" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
            f'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">{header}'
            f"<soapenv:Body>{content}</soapenv:Body></soapenv:Envelope>"
        )


DIALECTS = {"u": Dialect("partner", "u"), "c": Dialect("enterprise", "c")}


def write_text(value: object) -> str:
    """Return a value as text of an element."""
    return escape(NOT_IN_XML.sub("", str(value).lower() if isinstance(value, bool) else str(value)))


def write_element(name: str, content: Any) -> str:
    """Return an element. A list becomes repeated elements, a mapping children, and None an element that is null.

    In a mapping, `@type` is the `xsi:type` of the element, and `@text` its text.
    """
    if isinstance(content, list):
        return "".join(write_element(name, each) for each in content)
    if content is None:
        return f'<{name} xsi:nil="true"/>'
    if not isinstance(content, Mapping):
        return f"<{name}>{write_text(content)}</{name}>"
    kind = f' xsi:type="{content["@type"]}"' if "@type" in content else ""
    inner = "".join(
        write_text(value) if key == "@text" else write_element(key, value)
        for key, value in content.items()
        if key != "@type"
    )
    return f"<{name}{kind}>{inner}</{name}>"


def write_answer(dialect: Dialect, call: SoapCall, result: Any, *, usage: tuple[int, int] | None = None) -> str:
    """Return the envelope of an answer. `usage` are the API calls used and allowed, for the header."""
    header = ""
    if usage is not None:
        used, limit = usage
        info = {"limitInfo": {"current": used, "limit": limit, "type": "API REQUESTS"}}
        header = f"<soapenv:Header>{write_element('LimitInfoHeader', info)}</soapenv:Header>"
    content = "" if result is None else write_element("result", result)
    return dialect.write(f"<{call.name}Response>{content}</{call.name}Response>", header=header)


def write_fault(dialect: Dialect, error: ApiError) -> str:
    """Return the envelope of a fault."""
    message = write_text(error.message)
    if error.code == CLIENT_FAULT:
        inner = f"<faultcode>{CLIENT_FAULT}</faultcode><faultstring>{message}</faultstring>"
        return dialect.write(f"<soapenv:Fault>{inner}</soapenv:Fault>", is_fault=True)
    code = write_text(error.code)
    kind = "LoginFault" if isinstance(error, LogInFaultError) else FAULTS.get(error.code, "UnexpectedErrorFault")
    detail: dict[str, Any] = {
        "@type": f"sf:{kind}",
        "sf:exceptionCode": error.code,
        "sf:exceptionMessage": error.message,
    }
    if kind in FAULTS_WITH_PLACE:
        place = PLACE.search(error.message)
        row, column = place.groups() if place else ("-1", "-1")
        detail |= {"sf:row": row, "sf:column": column}
    return dialect.write(
        f"<soapenv:Fault><faultcode>sf:{code}</faultcode><faultstring>{code}: {message}</faultstring>"
        f"<detail>{write_element(f'sf:{kind}', detail)}</detail></soapenv:Fault>",
        is_fault=True,
    )
