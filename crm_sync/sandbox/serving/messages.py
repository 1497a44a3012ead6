"""Requests and answers of HTTP: bodies, compression, media types and conditions."""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Receive

from crm_sync.sandbox.api.soap_envelope import Dialect, SoapCall, SoapRequestError, read_call, write_fault
from crm_sync.sandbox.data.timestamps import parse_http_date
from crm_sync.sandbox.errors import ApiError
from crm_sync.sandbox.request_log import WrittenRecord
from crm_sync.sandbox.service import ApiRequest, ApiResponse

MAX_BODY_BYTES = 50_000_000
JSON_TYPE = "application/json;charset=UTF-8"
SOAP_TYPE = "text/xml;charset=UTF-8"


@dataclass(slots=True)
class RawRequest:
    """A request as received. `path` is still percent-encoded, so that a value in it may hold a slash."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    scheme: str
    body: bytes = b""
    query: dict[str, str] = field(default_factory=dict)
    written: list[WrittenRecord] = field(default_factory=list)
    # The call of a request to the SOAP API, whose calls all have one address.
    call: SoapCall | None = None

    @property
    def target(self) -> str:
        """The path, and after a number sign the name of a SOAP call, for rules of misbehaviour and the log."""
        return self.path if self.call is None else f"{self.path}#{self.call.name}"

    @property
    def base_url(self) -> str:
        """Scheme and host that the client used, also behind a proxy that sends X-Forwarded-Proto."""
        scheme = self.headers.get("x-forwarded-proto", self.scheme)
        return f"{'https' if scheme == 'https' else 'http'}://{self.headers.get('host', 'localhost')}"

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(slots=True)
class RawResponse:
    """An answer whose body is bytes."""

    status: int
    content: bytes
    headers: dict[str, str]


def read_query(query_string: str) -> dict[str, str]:
    """Return the parameters of an address. Of equal names the last counts; `sobject`, of searches, is a list."""
    query: dict[str, str] = {}
    for name, value in parse_qsl(query_string, keep_blank_values=True):
        query[name] = f"{query[name]},{value}" if name == "sobject" and name in query else value
    return query


def make_response(response: ApiResponse) -> RawResponse:
    """Return an answer with its body as JSON."""
    if response.body is None:
        return RawResponse(response.status, b"", dict(response.headers))
    if isinstance(response.body, bytes):
        return RawResponse(response.status, response.body, dict(response.headers))
    content = json.dumps(response.body, ensure_ascii=False, separators=(",", ":")).encode()
    return RawResponse(response.status, content, {"Content-Type": JSON_TYPE, **response.headers})


def answer_error(error: ApiError) -> RawResponse:
    """Return the answer to a request that failed with this error."""
    return make_response(ApiResponse(error.as_body(), error.status, dict(error.headers)))


def read_soap_call(request: RawRequest) -> SoapCall:
    """Return the call of a request to the SOAP API. Raises ApiError for a request that has none."""
    if request.method != "POST" or request.content_type != "text/xml":
        raise SoapRequestError("content-type of the request should be text/xml")
    if "soapaction" not in request.headers:
        raise SoapRequestError("SOAPAction HTTP header missing")
    return read_call(request.body)


def answer_fault(dialect: Dialect, error: ApiError, *, status: int) -> RawResponse:
    """Return the answer of the SOAP API to a request that failed with this error."""
    return make_soap_response(write_fault(dialect, error), status=status, headers=error.headers)


def make_soap_response(envelope: str, *, status: int = 200, headers: Mapping[str, str] | None = None) -> RawResponse:
    """Return an answer of the SOAP API."""
    return RawResponse(status, envelope.encode(), {"Content-Type": SOAP_TYPE, **(headers or {})})


def answer_options(request: RawRequest, *, allowed: str) -> RawResponse:
    """Return the answer to OPTIONS. It needs no token, which a browser that asks for another origin does not send."""
    headers = {"Allow": allowed}
    if "origin" in request.headers:
        headers |= {
            "Access-Control-Allow-Methods": allowed,
            "Access-Control-Allow-Headers": request.headers.get("access-control-request-headers", "Authorization"),
            "Access-Control-Max-Age": "86400",
        }
    return RawResponse(200, b"", headers)


def leave_out_unchanged(request: ApiRequest, response: ApiResponse) -> ApiResponse:
    """Return 304 without body instead of an answer that has not changed since the time of `If-Modified-Since`."""
    since = parse_http_date(request.headers.get("if-modified-since", ""))
    last = parse_http_date(response.headers.get("Last-Modified", ""))
    if request.method in {"GET", "HEAD"} and since is not None and last is not None and last <= since:
        return ApiResponse(None, 304, {"Last-Modified": response.headers["Last-Modified"]})
    return response


async def read_body(receive: Receive) -> bytes:
    """Return the whole body, which may come in chunks. Raises ApiError when it is too long."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(chunks)
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise ApiError("REQUEST_ENTITY_TOO_LARGE", f"The body is longer than {MAX_BODY_BYTES} bytes.", status=413)
        chunks.append(chunk)
        if not message.get("more_body"):
            return b"".join(chunks)


def decompress_body(request: RawRequest) -> None:
    """Decompress the body. Raises ApiError when it is broken or too long."""
    encoding = request.headers.get("content-encoding", "").lower()
    if encoding not in {"gzip", "deflate"} or not request.body:
        return
    decompressor = zlib.decompressobj(wbits=zlib.MAX_WBITS | (16 if encoding == "gzip" else 0))
    try:
        request.body = decompressor.decompress(request.body, MAX_BODY_BYTES)
    except zlib.error as error:
        raise ApiError("JSON_PARSER_ERROR", f"The body is not {encoding}: {error}") from error
    if decompressor.unconsumed_tail:
        raise ApiError("REQUEST_ENTITY_TOO_LARGE", f"The body is longer than {MAX_BODY_BYTES} bytes.", status=413)


def parse_body(request: RawRequest) -> Any:
    """Return the JSON of the body, CSV as text, None without a body. Raises ApiError for what is neither."""
    if not request.body or request.method in {"GET", "HEAD"}:
        return None
    if request.content_type == "text/csv":
        return request.body.decode("utf-8", "replace")
    if request.content_type != "application/json":
        raise ApiError(
            "UNSUPPORTED_MEDIA_TYPE",
            f"Content type '{request.content_type}' is not supported: send application/json.",
        )
    try:
        return json.loads(request.body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        place = f" at [line:{error.lineno}, column:{error.colno}]" if isinstance(error, json.JSONDecodeError) else ""
        raise ApiError(
            "JSON_PARSER_ERROR", f"{getattr(error, 'msg', 'The body is not readable JSON')}{place}"
        ) from error
