"""HTTP as the CRM speaks it: bodies, compression, tokens, limits and errors. Misbehaviour is applied here, too."""

import asyncio
import gzip
import logging
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import parse_qsl, unquote

from starlette.types import Receive, Scope, Send

from crm_sync.sandbox.api import oauth
from crm_sync.sandbox.api.bulk_classic import CLASSIC_ROUTES, answer_classic
from crm_sync.sandbox.api.routes import ROUTES
from crm_sync.sandbox.api.soap_calls import SoapRequest, answer_call, describe_for_rules
from crm_sync.sandbox.api.soap_envelope import DIALECTS, SoapCall
from crm_sync.sandbox.api.tokens import describe_provider, list_keys
from crm_sync.sandbox.errors import ApiError, limit_exceeded, not_found
from crm_sync.sandbox.misbehaviour import NO_EFFECT, Effect
from crm_sync.sandbox.request_log import LogEntry
from crm_sync.sandbox.service import NEWEST_VERSION, ApiRequest, ApiResponse, Service
from crm_sync.sandbox.serving.messages import (
    RawRequest,
    RawResponse,
    answer_error,
    answer_fault,
    answer_options,
    decompress_body,
    leave_out_unchanged,
    make_response,
    make_soap_response,
    parse_body,
    read_body,
    read_query,
    read_soap_call,
)
from crm_sync.sandbox.serving.protocol import drop_connection

LOG = logging.getLogger(__name__)
MAX_URI_BYTES = 16_384
GZIP_FROM_BYTES = 512
WINTER_15 = 32  # the version of Winter '15; there are three versions a year
VERSION = re.compile(r"/services/data/v(\d+)\.0(/.*)?", re.IGNORECASE)
CLASSIC = re.compile(r"/services/async/(\d+)\.0(/.*)?", re.IGNORECASE)
SOAP = re.compile(r"/services/Soap/([uc])/(\d{1,3}\.\d)(?:/.*)?", re.IGNORECASE)
FAULT_STATUS = 500
METHOD_OVERRIDE = "_HttpMethod"
HTML_PAGE = (
    "<!DOCTYPE html><html><head><title>Maintenance</title></head>"
    "<body><h1>We are down for maintenance.</h1></body></html>"
)


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
            effect = self.choose_effect(request)
            delay = self.service.misbehaviour.latency_ms + effect.delay_ms
            if delay:
                await asyncio.sleep(delay / 1000)
            if effect.drop == "before":
                self.log_request(request, status=0, started=started)
                await drop_connection(scope)
                return
            response = self.answer_safely(request, effect)
        except ApiError as error:
            response = self.refuse(request, error, effect)
        usage = self.service.organisation.usage
        response.headers.setdefault("Sforce-Limit-Info", f"api-usage={usage.used}/{usage.limit}")
        response.headers["Date"] = format_datetime(self.service.organisation.read_clock(), usegmt=True)
        if "origin" in request.headers:
            # As if the organisation's list of allowed origins named every one; the token is no cookie.
            response.headers["Access-Control-Allow-Origin"] = request.headers["origin"]
        if effect.drop == "after":
            self.log_request(request, status=0, started=started)
            await drop_connection(scope)
            return
        # Logged before the answer is sent, so that a client that has its answer finds its request in the log.
        self.log_request(request, status=response.status, started=started)
        await self.send_response(request, response, scope=scope, send=send, truncate=effect.truncate)

    def choose_effect(self, request: RawRequest) -> Effect:
        """Return the misbehaviour that applies to a request. Raises ApiError for a body that cannot be read."""
        query = unquote(request.query_string.replace("+", " "))
        if SOAP.fullmatch(request.path):
            decompress_body(request)
            request.call = read_soap_call(request)
            query = describe_for_rules(self.service.organisation.schema, request.call)
        return self.service.misbehaviour.choose_effect(method=request.method, path=request.target, query=query)

    @staticmethod
    def refuse(request: RawRequest, error: ApiError, effect: Effect) -> RawResponse:
        """Return the answer to a request that failed: JSON, or a fault of the SOAP API, whose status is 500."""
        match = SOAP.fullmatch(request.path)
        if match is None:
            return answer_error(error)
        dialect = DIALECTS[match.group(1).lower()]
        return answer_fault(dialect, error, status=error.status if error.status == effect.status else FAULT_STATUS)

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
        """Add the request to the log, without query string and values of headers; of its body the records it wrote."""
        milliseconds = (time.perf_counter() - started) * 1000
        own = [
            f"{name.title()} ({len(value)} characters)"
            for name, value in request.headers.items()
            if name.startswith("x-") and not name.startswith("x-forwarded-")
        ]
        entry = LogEntry(datetime.now(UTC), request.method, request.target, status, milliseconds, ", ".join(own))
        self.service.log.add(entry, written=request.written)

    def answer_safely(self, request: RawRequest, effect: Effect) -> RawResponse:
        """Return the answer to a request; a fault of the sandbox itself is logged, and answered as the CRM does.

        Raises ApiError when the request is refused.
        """
        try:
            return self.answer(request, effect)
        except ApiError:
            raise
        except Exception:
            LOG.exception("%s %s failed", request.method, request.path)
            number = f"{secrets.randbelow(10**9):09d}-{secrets.randbelow(10**6):05d}"
            raise ApiError(
                "UNKNOWN_EXCEPTION",
                f"An unexpected error occurred. Please include this ErrorId if you contact support: {number}",
                status=500,
            ) from None

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
        if request.call is not None:
            return self.answer_soap(request, request.call, effect)
        decompress_body(request)
        request.query = read_query(request.query_string)
        lower = request.path.lower().rstrip("/")
        return self.route(request, effect, lower)

    def route(self, request: RawRequest, effect: Effect, lower: str) -> RawResponse:
        """Return the answer of the API that a path, in lower case and without trailing slash, belongs to."""
        if lower == "/services/data":
            return self.list_versions(request)
        if lower.startswith("/services/data/"):
            return self.answer_data(request, effect)
        if lower.startswith("/services/async/"):
            return self.answer_bulk(request, effect)
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
        if request.method == "OPTIONS":
            return answer_options(request, allowed=ROUTES.list_methods(match.group(2) or ""))
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
            body=parse_body(request),
            user_id=user_id,
            base_url=request.base_url,
            effect=effect,
            written=request.written,
        )
        return make_response(leave_out_unchanged(inner, ROUTES.dispatch(inner)))

    def answer_bulk(self, request: RawRequest, effect: Effect) -> RawResponse:
        """Answer a call of Bulk API 1.0, whose token is in a header of its own. Raises ApiError."""
        match = CLASSIC.fullmatch(request.path)
        if match is None:
            raise not_found()
        self.service.check_version(int(match.group(1)))
        token = request.headers.get("x-sfdc-session", "")
        user_id = self.authenticate({"authorization": f"Bearer {token}"} if token else request.headers)
        usage = self.service.organisation.usage
        if usage.exhausted:
            raise limit_exceeded("daily")
        usage.count_call()
        inner = ApiRequest(
            service=self.service,
            method=request.method,
            version=int(match.group(1)),
            path=match.group(2) or "",
            query=request.query,
            headers=request.headers,
            body=request.body.decode("utf-8", "replace"),
            user_id=user_id,
            base_url=request.base_url,
            effect=effect,
            written=request.written,
        )
        return make_response(answer_classic(inner, CLASSIC_ROUTES))

    def answer_soap(self, request: RawRequest, call: SoapCall, effect: Effect) -> RawResponse:
        """Answer a call of the SOAP API, log-in included. Raises ApiError."""
        match = SOAP.fullmatch(request.path)
        if match is None:
            raise not_found()
        asked = SoapRequest(
            service=self.service,
            call=call,
            dialect=DIALECTS[match.group(1).lower()],
            version=match.group(2),
            base_url=request.base_url,
            effect=effect,
            written=request.written,
        )
        return make_soap_response(answer_call(asked))

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
        """Answer requests about log-ins: OAuth, OpenID Connect and identity. Raises ApiError for other paths."""
        answered = self.answer_oauth(request, lower)
        if answered is not None:
            return make_response(answered)
        if lower == "/services/oauth2/userinfo" or lower.startswith("/id/"):
            user = self.service.organisation.find_user(user_id=self.authenticate(request.headers))
            if user is None or (lower.startswith("/id/") and user.id.lower() not in lower):
                raise not_found()
            return make_response(ApiResponse(oauth.describe_user(self.service, user, base_url=request.base_url)))
        raise not_found()

    def answer_oauth(self, request: RawRequest, lower: str) -> ApiResponse | None:
        """Return the answer of an address of OAuth that needs no session, or None for any other."""
        form = dict(request.query)
        if request.content_type == "application/x-www-form-urlencoded":
            form |= dict(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
        authorization = request.headers.get("authorization", "")
        address = f"{request.method} {lower}"
        if address == "POST /services/oauth2/token":
            return oauth.issue_token(self.service, form=form, authorization=authorization, base_url=request.base_url)
        if address == "POST /services/oauth2/introspect":
            return oauth.answer_introspection(self.service, form=form, authorization=authorization)
        if lower == "/services/oauth2/revoke":
            return oauth.revoke_token(self.service, form=form)
        if lower == "/id/keys":
            return ApiResponse(list_keys())
        if lower == "/.well-known/openid-configuration":
            return describe_provider(request.base_url)
        return None
