"""HTTP as the CRM speaks it: bodies, compression, tokens, limits and errors. Misbehaviour is applied here, too."""

import asyncio
import gzip
import json
import re
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, unquote

from starlette.types import Receive, Scope, Send

from crm_sync.sandbox.api import oauth
from crm_sync.sandbox.api.routes import ROUTES
from crm_sync.sandbox.errors import ApiError, limit_exceeded, not_found
from crm_sync.sandbox.misbehaviour import NO_EFFECT, Effect
from crm_sync.sandbox.request_log import LogEntry, WrittenRecord
from crm_sync.sandbox.service import NEWEST_VERSION, ApiRequest, ApiResponse, Service
from crm_sync.sandbox.serving.protocol import drop_connection

MAX_URI_BYTES = 16_384
MAX_BODY_BYTES = 50_000_000
GZIP_FROM_BYTES = 512
WINTER_15 = 32  # the version of Winter '15; there are three versions a year
VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*)?", re.IGNORECASE)
SOAP = re.compile(r"/services/Soap/[uc]/([\d.]+)(?:/.*)?", re.IGNORECASE)
METHOD_OVERRIDE = "_HttpMethod"
JSON_TYPE = "application/json;charset=UTF-8"
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We are down for maintenance.</h1></body></html>"
)


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


def make_response(response: ApiResponse) -> RawResponse:
    """Return an answer with its body as JSON."""
    if response.body is None:
        return RawResponse(response.status, b"", dict(response.headers))
    content = json.dumps(response.body, ensure_ascii=False, separators=(",", ":")).encode()
    return RawResponse(response.status, content, {"Content-Type": JSON_TYPE, **response.headers})


def answer_error(error: ApiError) -> RawResponse:
    """Return the answer to a request that failed with this error."""
    return make_response(ApiResponse(error.as_body(), error.status, dict(error.headers)))


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


def parse_json_body(request: RawRequest) -> Any:
    """Return the JSON of the body, or None without a body. Raises ApiError for other media types and broken JSON."""
    if not request.body or request.method in {"GET", "HEAD"}:
        return None
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


class Wire:
    """The ASGI application of an organisation's API: `/services` and `/id`."""

    def __init__(self, service: Service) -> None:
        """Serve this organisation."""
        self.service = service
        self.being_answered = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, with the misbehaviour that applies to it."""
        started = time.perf_counter()
        request = RawRequest(
            method=scope["method"],
            path=(scope.get("raw_path") or scope["path"].encode()).decode("latin-1"),
            query_string=scope["query_string"].decode("latin-1"),
            headers={key.decode("latin-1").lower(): value.decode("latin-1") for key, value in scope["headers"]},
            scheme=scope["scheme"],
        )
        self.being_answered += 1
        try:
            await self.handle(request, scope=scope, receive=receive, send=send, started=started)
        finally:
            self.being_answered -= 1

    async def handle(self, request: RawRequest, *, scope: Scope, receive: Receive, send: Send, started: float) -> None:
        """Answer one request that was `started` at this time of the performance counter."""
        effect = NO_EFFECT
        most = self.service.misbehaviour.concurrent_requests
        try:
            request.body = await read_body(receive)
            if most and self.being_answered > most:
                raise limit_exceeded("requests")
            effect = self.service.misbehaviour.choose_effect(
                method=request.method, path=request.path, query=unquote(request.query_string.replace("+", " "))
            )
            delay = self.service.misbehaviour.latency_ms + effect.delay_ms
            if delay:
                await asyncio.sleep(delay / 1000)
            if effect.drop == "before":
                self.log_request(request, status=0, started=started)
                await drop_connection(scope)
                return
            response = self.answer(request, effect)
        except ApiError as error:
            response = answer_error(error)
        usage = self.service.organisation.usage
        response.headers.setdefault("Sforce-Limit-Info", f"api-usage={usage.used}/{usage.limit}")
        response.headers["Date"] = format_datetime(self.service.organisation.read_clock(), usegmt=True)
        if effect.drop == "after":
            self.log_request(request, status=0, started=started)
            await drop_connection(scope)
            return
        # Logged before the answer is sent, so that a client that has its answer finds its request in the log.
        self.log_request(request, status=response.status, started=started)
        await self.send_response(request, response, scope=scope, send=send, truncate=effect.truncate)

    async def send_response(
        self, request: RawRequest, response: RawResponse, *, scope: Scope, send: Send, truncate: bool
    ) -> None:
        """Send an answer, compressed if the client accepts gzip. With `truncate`, send half and cut the connection."""
        headers = response.headers
        content = response.content
        accepts = "gzip" in request.headers.get("accept-encoding", "")
        if accepts and len(content) >= GZIP_FROM_BYTES:
            content = gzip.compress(content, compresslevel=1, mtime=0)
            headers["Content-Encoding"] = "gzip"
            headers["Vary"] = "Accept-Encoding"
        if response.status not in {204, 304}:
            headers["Content-Length"] = str(len(content))
        encoded = [(key.lower().encode("latin-1"), value.encode("latin-1")) for key, value in headers.items()]
        await send({"type": "http.response.start", "status": response.status, "headers": encoded})
        if truncate:
            await send({"type": "http.response.body", "body": content[: len(content) // 2], "more_body": True})
            await drop_connection(scope)
            return
        await send({"type": "http.response.body", "body": b"" if request.method == "HEAD" else content})

    def log_request(self, request: RawRequest, *, status: int, started: float) -> None:
        """Add the request to the log, without query string and headers, and of its body the records it wrote."""
        milliseconds = (time.perf_counter() - started) * 1000
        entry = LogEntry(datetime.now(UTC), request.method, request.path, status, milliseconds)
        self.service.log.add(entry, written=request.written)

    def answer(self, request: RawRequest, effect: Effect) -> RawResponse:
        """Return the answer to a request. Raises ApiError when it is refused."""
        if len(request.path) + len(request.query_string) + 1 > MAX_URI_BYTES:
            raise ApiError("URI_TOO_LONG", f"The URI is longer than {MAX_URI_BYTES} bytes.")
        if effect.expire_sessions:
            self.service.organisation.sessions.expire_all()
        retry_after = {} if effect.retry_after is None else {"Retry-After": str(effect.retry_after)}
        if effect.html:
            headers = {"Content-Type": "text/html;charset=UTF-8", **retry_after}
            return RawResponse(effect.status or 200, HTML_PAGE.encode(), headers)
        if effect.step_clock_seconds:
            self.service.misbehaviour.step_clock(seconds=effect.step_clock_seconds)
        if effect.limit_exhausted or effect.concurrency_limit:
            raise limit_exceeded(effect.concurrency_limit or "daily")
        if effect.status is not None:
            code = effect.error_code or {401: "INVALID_SESSION_ID", 403: "FORBIDDEN", 404: "NOT_FOUND"}.get(
                effect.status, "UNKNOWN_EXCEPTION"
            )
            raise ApiError(
                code, effect.message or "An unexpected error occurred.", status=effect.status, headers=retry_after
            )
        if effect.error_code is not None:
            raise ApiError(effect.error_code, effect.message or effect.error_code, headers=retry_after)
        decompress_body(request)
        request.query = dict(parse_qsl(request.query_string, keep_blank_values=True))
        lower = request.path.lower().rstrip("/")
        if lower == "/services/data":
            return self.list_versions(request)
        if lower.startswith("/services/data/"):
            return self.answer_data(request, effect)
        return self.answer_log_in(request, lower)

    def list_versions(self, request: RawRequest) -> RawResponse:
        """Answer GET /services/data with the API versions. It needs no token."""
        if request.method not in {"GET", "HEAD"}:
            raise ApiError("METHOD_NOT_ALLOWED", f"HTTP Method '{request.method}' not allowed. Allowed are GET,HEAD")
        seasons = ("Winter", "Spring", "Summer")
        return make_response(
            ApiResponse(
                [
                    {
                        "label": f"{seasons[(number - WINTER_15) % 3]} '{15 + (number - WINTER_15) // 3}",
                        "url": f"/services/data/v{number}.0",
                        "version": f"{number}.0",
                    }
                    for number in range(int(self.service.misbehaviour.oldest_api_version), NEWEST_VERSION + 1)
                ]
            )
        )

    def answer_data(self, request: RawRequest, effect: Effect) -> RawResponse:
        """Check the token and the API limit of a REST API call, count it and answer it. Raises ApiError."""
        match = VERSION.fullmatch(request.path)
        if match is None:
            raise not_found()
        self.service.check_version(int(match.group(1)))
        user_id = self.authenticate(request.headers)
        usage = self.service.organisation.usage
        if usage.exhausted:
            raise limit_exceeded("daily")
        usage.count_call()
        method = (
            request.query.pop(METHOD_OVERRIDE, request.method).upper() if request.method == "POST" else request.method
        )
        inner = ApiRequest(
            service=self.service,
            method=method,
            version=int(match.group(1)),
            path=match.group(2) or "",
            query=request.query,
            headers=request.headers,
            body=parse_json_body(request),
            user_id=user_id,
            base_url=request.base_url,
            effect=effect,
            written=request.written,
        )
        return make_response(ROUTES.dispatch(inner))

    def authenticate(self, headers: Mapping[str, str]) -> str:
        """Return the id of the token's user. Raises ApiError `INVALID_SESSION_ID` or `INVALID_AUTH_HEADER`."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme and scheme.lower() not in {"bearer", "oauth"}:
            raise ApiError("INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE", headers={"WWW-Authenticate": "Token"})
        session = self.service.organisation.sessions.find_session(token.strip())
        if session is None:
            raise ApiError("INVALID_SESSION_ID", "Session expired or invalid", headers={"WWW-Authenticate": "Token"})
        return session.user_id

    def answer_log_in(self, request: RawRequest, lower: str) -> RawResponse:
        """Answer token, revoke, userinfo, identity and SOAP log-in requests. Raises ApiError for other paths."""
        form = dict(request.query)
        if request.content_type == "application/x-www-form-urlencoded":
            form |= dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        if lower == "/services/oauth2/token" and request.method == "POST":
            return make_response(
                oauth.issue_token(
                    self.service,
                    form=form,
                    authorization=request.headers.get("authorization", ""),
                    base_url=request.base_url,
                )
            )
        if lower == "/services/oauth2/revoke":
            return make_response(oauth.revoke_token(self.service, form=form))
        if lower == "/services/oauth2/userinfo" or lower.startswith("/id/"):
            user = self.service.organisation.find_user(user_id=self.authenticate(request.headers))
            if user is None or (lower.startswith("/id/") and user.id.lower() not in lower):
                raise not_found()
            return make_response(ApiResponse(oauth.describe_user(self.service, user, base_url=request.base_url)))
        soap = SOAP.fullmatch(request.path)
        if soap is not None and request.method == "POST":
            status, xml = oauth.log_in_by_soap(
                self.service, body=request.body, base_url=request.base_url, version=soap.group(1)
            )
            return RawResponse(status, xml.encode(), {"Content-Type": "text/xml;charset=UTF-8"})
        raise not_found()
