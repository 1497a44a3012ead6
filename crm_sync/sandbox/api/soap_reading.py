"""Calls of the SOAP API that read: queries, searches, records, descriptions, lists of changes."""

from collections.abc import Mapping
from typing import Any

from crm_sync.sandbox.api import resources, search
from crm_sync.sandbox.api.describe import describe_global as describe_all
from crm_sync.sandbox.api.describe import describe_object
from crm_sync.sandbox.api.records import fetch_records, list_wanted_fields
from crm_sync.sandbox.api.soap_envelope import SoapCall
from crm_sync.sandbox.api.soap_login import describe_user
from crm_sync.sandbox.api.soap_records import find_type, shape_page, shape_record, write_stamp
from crm_sync.sandbox.data.ids import normalise_id
from crm_sync.sandbox.data.timestamps import format_datetime
from crm_sync.sandbox.errors import ApiError, not_found
from crm_sync.sandbox.service import ApiRequest, Handler

MAX_RETRIEVED = 2_000
MAX_DESCRIBED = 100
# What descriptions of the REST API have besides: addresses of the REST API.
REST_ALONE = frozenset({"urls"})


def ask(request: ApiRequest, handler: Handler, query: Mapping[str, str], **names: str) -> Any:
    """Return what a handler of the REST API answers to a GET with these parameters. Raises ApiError."""
    inner = request.derive(method="GET", path="", query=query, body=None, version=request.version)
    return handler(inner, **names).body


# -- queries ------------------------------------------------------------------------------------------


def query(request: ApiRequest, call: SoapCall) -> dict[str, Any]:
    """Answer `query`."""
    page = ask(request, resources.query, {"q": call.read_text("queryString")})
    return shape_page(request.organisation.schema, page)


def query_all(request: ApiRequest, call: SoapCall) -> dict[str, Any]:
    """Answer `queryAll`, deleted records included."""
    page = ask(request, resources.query_all, {"q": call.read_text("queryString")})
    return shape_page(request.organisation.schema, page)


def query_more(request: ApiRequest, call: SoapCall) -> dict[str, Any]:
    """Answer `queryMore`."""
    page = ask(request, resources.query_more, {}, locator=call.read_text("queryLocator"))
    return shape_page(request.organisation.schema, page)


def find_text(request: ApiRequest, call: SoapCall) -> dict[str, Any]:
    """Answer `search`."""
    found = ask(request, search.search, {"q": call.read_text("searchString")})
    records = found["searchRecords"] if isinstance(found, Mapping) else found
    schema = request.organisation.schema
    return {"searchRecords": [{"record": shape_record(schema, record)} for record in records]}


def retrieve(request: ApiRequest, call: SoapCall) -> list[dict[str, Any] | None]:
    """Answer `retrieve`: the records in the order of their ids, null for those that are not there."""
    schema = request.organisation.schema
    sobject = find_type(schema, call.read_text("sObjectType"))
    given = call.list_texts("ids")
    if len(given) > MAX_RETRIEVED:
        raise ApiError(
            "EXCEEDED_ID_LIMIT",
            f"record limit reached. cannot submit more than {MAX_RETRIEVED} records into this call",
        )
    names = call.read_text("fieldList")
    if not names:
        raise ApiError("MALFORMED_QUERY", "retrieve needs a fieldList, such as Id, Name")
    fields = list_wanted_fields(sobject, names)
    identifiers = [read_id(entry) for entry in given]
    found = fetch_records(request, sobject, identifiers=identifiers, fields=fields)
    return [shape_record(schema, found[entry]) if entry in found else None for entry in identifiers]


def read_id(given: str) -> str:
    """Return the 18-character form of an id. Raises ApiError `MALFORMED_ID`."""
    identifier = normalise_id(given)
    if identifier is None:
        raise ApiError("MALFORMED_ID", f"malformed id {given}")
    return identifier


# -- descriptions -------------------------------------------------------------------------------------


def describe_global(request: ApiRequest, _call: SoapCall) -> Any:
    """Answer `describeGlobal`."""
    return tidy(describe_all(request.organisation.schema, base_path=request.base_path))


def describe_sobject(request: ApiRequest, call: SoapCall) -> Any:
    """Answer `describeSObject`."""
    sobject = find_type(request.organisation.schema, call.read_text("sObjectType"))
    return tidy(describe_object(sobject, base_path=request.base_path))


def describe_sobjects(request: ApiRequest, call: SoapCall) -> list[Any]:
    """Answer `describeSObjects`, of up to 100 objects."""
    names = call.list_texts("sObjectType")
    if len(names) > MAX_DESCRIBED:
        raise ApiError("EXCEEDED_ID_LIMIT", f"cannot describe more than {MAX_DESCRIBED} objects in one call")
    sobjects = [find_type(request.organisation.schema, name) for name in names]
    return [tidy(describe_object(sobject, base_path=request.base_path)) for sobject in sobjects]


def tidy(description: Any) -> Any:
    """Return a description of the REST API as that of the SOAP API: in alphabetical order, without what is null."""
    if isinstance(description, list):
        return [tidy(entry) for entry in description]
    if not isinstance(description, Mapping):
        return description
    kept = {key: value for key, value in description.items() if value is not None and key not in REST_ALONE}
    return {key: tidy(kept[key]) for key in sorted(kept)}


# -- changes ------------------------------------------------------------------------------------------


def get_updated(request: ApiRequest, call: SoapCall) -> Any:
    """Answer `getUpdated`."""
    return stamp_all(ask_changes(request, call, resources.list_updated))


def get_deleted(request: ApiRequest, call: SoapCall) -> Any:
    """Answer `getDeleted`."""
    return stamp_all(ask_changes(request, call, resources.list_deleted))


def ask_changes(request: ApiRequest, call: SoapCall, handler: Handler) -> Any:
    """Return the list of changes of an object between `startDate` and `endDate`."""
    sobject = find_type(request.organisation.schema, call.read_text("sObjectType"))
    span = {"start": call.read_text("startDate"), "end": call.read_text("endDate")}
    return ask(request, handler, {name: text for name, text in span.items() if text}, name=sobject.name)


def stamp_all(content: Any) -> Any:
    """Return content with its datetimes as the SOAP API writes them."""
    if isinstance(content, Mapping):
        return {key: stamp_all(value) for key, value in content.items()}
    if isinstance(content, list):
        return [stamp_all(value) for value in content]
    return write_stamp(content) if isinstance(content, str) else content


# -- the session --------------------------------------------------------------------------------------


def get_user_info(request: ApiRequest, _call: SoapCall) -> dict[str, Any]:
    """Answer `getUserInfo`."""
    user = request.organisation.find_user(user_id=request.user_id)
    if user is None:
        raise not_found()
    return describe_user(request.service, user)


def get_server_timestamp(request: ApiRequest, _call: SoapCall) -> dict[str, Any]:
    """Answer `getServerTimestamp`."""
    return {"timestamp": write_stamp(format_datetime(request.organisation.read_clock()))}


def log_out(request: ApiRequest, call: SoapCall) -> None:
    """Answer `logout`: end the session of the call."""
    request.organisation.sessions.close_session(call.read_header("SessionHeader", "sessionId"))
