"""The SOAP API below `/services/Soap`: which call is answered by what, and who may make it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from crm_sync.sandbox.api import soap_merging, soap_reading, soap_writing
from crm_sync.sandbox.api.soap_envelope import Dialect, SoapCall, SoapRequestError, name_of, refuse_value, write_answer
from crm_sync.sandbox.api.soap_login import log_in
from crm_sync.sandbox.data.schema import Schema
from crm_sync.sandbox.errors import ApiError, limit_exceeded
from crm_sync.sandbox.misbehaviour import Effect
from crm_sync.sandbox.request_log import WrittenRecord
from crm_sync.sandbox.service import NEWEST_VERSION, ApiRequest, Service

CALLS: dict[str, Callable[[ApiRequest, SoapCall], Any]] = {
    "create": soap_writing.create,
    "delete": soap_writing.delete,
    "describeGlobal": soap_reading.describe_global,
    "describeSObject": soap_reading.describe_sobject,
    "describeSObjects": soap_reading.describe_sobjects,
    "emptyRecycleBin": soap_writing.empty_recycle_bin,
    "getDeleted": soap_reading.get_deleted,
    "getServerTimestamp": soap_reading.get_server_timestamp,
    "getUpdated": soap_reading.get_updated,
    "getUserInfo": soap_reading.get_user_info,
    "logout": soap_reading.log_out,
    "merge": soap_merging.merge,
    "query": soap_reading.query,
    "queryAll": soap_reading.query_all,
    "queryMore": soap_reading.query_more,
    "retrieve": soap_reading.retrieve,
    "search": soap_reading.find_text,
    "undelete": soap_writing.undelete,
    "update": soap_writing.update,
    "upsert": soap_writing.upsert,
}
# The most rows of a page when a client does not say: fewer than over REST.
PAGE_SIZE = 500


@dataclass(frozen=True, slots=True)
class SoapRequest:
    """A call as it came in: to which WSDL and version of the API, by which address, with what misbehaviour."""

    service: Service
    call: SoapCall
    dialect: Dialect
    version: str
    base_url: str
    effect: Effect
    written: list[WrittenRecord] = field(default_factory=list)


def name_object(schema: Schema, call: SoapCall) -> str:
    """Return the object that a call is about, for rules of misbehaviour, or empty text."""
    named = call.read_text("sObjectType")
    if not named:
        types = (child.text for child in call.arguments.iter() if name_of(child) == "type")
        named = next((text.strip() for text in types if text), "")
    ids = call.list_texts("ids")
    if not named and ids:
        sobject = schema.find_by_id(ids[0])
        named = sobject.name if sobject else ""
    return named


def describe_for_rules(schema: Schema, call: SoapCall) -> str:
    """Return the query of a call, for rules of misbehaviour that name an object; of other calls, such a text."""
    return call.read_text("queryString") or f"FROM {name_object(schema, call)}"


def answer_call(request: SoapRequest) -> str:
    """Return the envelope that answers a call. Raises ApiError."""
    service, call, dialect = request.service, request.call, request.dialect
    number = request.version.partition(".")[0]
    if not service.misbehaviour.oldest_api_version <= int(number or 0) <= NEWEST_VERSION:
        raise ApiError("UNSUPPORTED_API_VERSION", "Invalid Api version specified on URL", status=500)
    if call.name == "login":
        result = log_in(service, call, dialect=dialect, base_url=request.base_url, version=request.version)
        return write_answer(dialect, call, result)
    handler = CALLS.get(call.name)
    if handler is None:
        raise SoapRequestError(f"No operation available for request {call.arguments.tag}")
    if dialect.name != "partner":
        raise SoapRequestError(f"The sandbox answers {call.name} at the address of the partner WSDL, /services/Soap/u")
    session = service.organisation.sessions.find_session(call.read_header("SessionHeader", "sessionId"))
    if session is None:
        raise ApiError("INVALID_SESSION_ID", "Invalid Session ID found in SessionHeader: Illegal Session", status=500)
    usage = service.organisation.usage
    if usage.exhausted:
        raise limit_exceeded("daily")
    usage.count_call()
    inner = ApiRequest(
        service=service,
        method="POST",
        version=int(number),
        path="",
        query={},
        headers=translate_headers(call),
        body=None,
        user_id=session.user_id,
        base_url=request.base_url,
        effect=request.effect,
        written=request.written,
    )
    return write_answer(dialect, call, handler(inner, call), usage=(usage.used, usage.limit))


def translate_headers(call: SoapCall) -> dict[str, str]:
    """Return the headers of an envelope as those by which the REST API says the same. Raises SoapRequestError."""
    size = call.read_header("QueryOptions", "batchSize") or str(PAGE_SIZE)
    if not size.isdecimal():
        raise refuse_value(size, kind="xsd:int")
    headers = {"sforce-query-options": f"batchSize={size}"}
    if call.read_flag("DuplicateRuleHeader", "allowSave"):
        headers["sforce-duplicate-rule-header"] = "allowSave=true"
    return headers
