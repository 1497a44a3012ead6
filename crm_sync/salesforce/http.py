"""Send one call over HTTP, once, and describe in words what went wrong with it."""

import gzip
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

import requests
import structlog
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

from crm_sync.crm.call_times import find_bucket
from crm_sync.crm.dialect import ClockReading
from crm_sync.crm.errors import ConfigurationError, ConnectivityError, CrmError
from crm_sync.crm.hosts import HTTPS_PORT, HostRules
from crm_sync.crm.safe_transport import is_local_address, is_public_address, open_session, resolve_host
from crm_sync.salesforce.options import ClientOptions
from crm_sync.salesforce.responses import Answer, AnswerTooLargeError, BrokenAnswerError, Setback, read_answer
from crm_sync.salesforce.retry import parse_http_date
from ctms.core.clock import get_now
from ctms.core.json_text import write_json

_MIN_BYTES_TO_PACK: Final = 1024
_NO_ADDRESS: Final = "has no address in the name service"
_API_USAGE = re.compile(r"(?<![\w-])api-usage=([0-9]{1,15})/([0-9]{1,15})")

# A name and no more: a query may hold identifiers of persons.
_OBJECT_IN_PATH = re.compile(r"/sobjects/([A-Za-z]\w{0,79})(?=/|$)")
_OBJECT_IN_QUERY = re.compile(r"[?&]q=[^&]*?\+FROM\+([A-Za-z]\w{0,79})(?=\+|&|$)")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to make: `target` is its path and query, `purpose` what it is for. `repr()` hides its content."""

    method: str
    target: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_log_in: bool = False
    # The origin that is called instead of the connection's own; only log-ins have one.
    origin: str = ""
    is_next_page: bool = False
    purpose: str = ""

    @property
    def path(self) -> str:
        """The target without its query, so that it may be logged."""
        return self.target.partition("?")[0]

    @property
    def object_name(self) -> str | None:
        """The CRM object that the path or the query asks for; None if they name none, or several."""
        found = _OBJECT_IN_PATH.search(self.path) or _OBJECT_IN_QUERY.search(self.target)
        return found[1] if found else None

    @property
    def asked(self) -> str:
        """What the call asks for, in words for a message: `describing Account (GET /services/data/…)`."""
        call = f"{self.method} {self.path}"
        return f"{self.purpose} ({call})" if self.purpose else call


@dataclass(frozen=True, slots=True)
class Token:
    """The token that a log-in returned, and the origin that accepts it."""

    value: str = field(repr=False)
    origin: str


def build_json_call(*, method: str, target: str, payload: object, headers: Mapping[str, str], purpose: str) -> Call:
    """Return a call with a JSON body, compressed with gzip above 1 kB, and with these headers besides its own."""
    body = write_json(payload)
    sent = {"Content-Type": "application/json; charset=utf-8", **headers}
    if len(body) > _MIN_BYTES_TO_PACK:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        sent["Content-Encoding"] = "gzip"
    return Call(method=method, target=target, body=body, headers=sent, purpose=purpose)


def unpack_body(call: Call) -> str:
    """Return the body of a call as text, unpacked; empty if it has none."""
    if call.body is None:
        return ""
    packed = call.headers.get("Content-Encoding") == "gzip"
    return (gzip.decompress(call.body) if packed else call.body).decode(errors="replace")


class Wire:
    """Sends calls to one CRM and counts them. Thread-safe."""

    def __init__(self, *, rules: HostRules, origin: str, options: ClientOptions) -> None:
        """Open a session; `origin` is the checked `https://host` for log-ins and messages."""
        self.host = origin.removeprefix("https://")
        self.api_calls = 0
        self.api_usage: tuple[int, int] | None = None
        # How many calls were answered in which time, see `crm_sync.crm.call_times`.
        self.call_times: Counter[int] = Counter()
        # From the last header `Date`.
        self.clock: ClockReading | None = None
        self._rules = rules
        self._name = options.name
        self._origin = origin
        self._timeouts = options.connect_timeout, options.read_timeout
        self._http = open_session(rules=rules, ca_bundle=options.ca_bundle, pool_size=options.pool_size)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def name_host(self, token: Token | None) -> str:
        """Return the host that answers calls with this token, for messages: it may be another than that of log-ins."""
        return token.origin.removeprefix("https://") if token else self.host

    def resolve(self) -> int | Setback | CrmError:
        """Look up the host, check its addresses as every call does, and return how many there are.

        Never raises: as in `send`, what went wrong is returned.
        """
        sandbox = self._rules.find_sandbox(self._origin)
        parts = urlsplit(sandbox or self._origin)
        try:
            found = resolve_host(
                parts.hostname or "",
                parts.port or HTTPS_PORT,
                resolve=socket.getaddrinfo,
                is_allowed=is_local_address if sandbox else is_public_address,
            )
        except CrmError as error:
            return error.with_traceback(None)
        except (OSError, UnicodeError):
            return Setback(_NO_ADDRESS)
        return len({sockaddr[0] for *_, sockaddr in found})

    def send(self, call: Call, *, token: Token | None, attempt: int) -> Answer | Setback | CrmError:
        """Send `call` and return its answer. Never raises for a failure of the network or of the CRM.

        A failure is returned as a value, because the errors of the HTTP libraries hold the URL, and an error raised
        while one of them is handled would have it as its context.
        """
        started = time.monotonic()
        outcome, was_sent = self._exchange(call, token=token)
        answer = outcome if isinstance(outcome, Answer) else None
        milliseconds = (time.monotonic() - started) * 1000
        log.info(
            "crm_call",
            connection=self._name,
            host=(call.origin or (token.origin if token else self._origin)).removeprefix("https://"),
            method=call.method,
            path=call.path,
            object=call.object_name,
            status=answer.status if answer else None,
            ms=round(milliseconds),
            attempt=attempt,
        )
        usage = _API_USAGE.search(answer.headers.get("Sforce-Limit-Info", "")) if answer else None
        moment = parse_http_date(answer.headers.get("Date")) if answer else None
        with self._lock:
            self.api_calls += was_sent
            if answer is not None and not call.is_log_in:
                self.call_times[find_bucket(milliseconds)] += 1
            self.api_usage = (int(usage[1]), int(usage[2])) if usage else self.api_usage
            self.clock = ClockReading(crm=moment, vault=get_now()) if moment else self.clock
        return outcome

    def _exchange(self, call: Call, *, token: Token | None) -> tuple[Answer | Setback | CrmError, bool]:
        """Return the answer or the failure, and whether the call may have reached the CRM."""
        origin = call.origin or (token.origin if token else self._origin)
        host = origin.removeprefix("https://")
        headers = dict(call.headers)
        if token:
            headers["Authorization"] = f"Bearer {token.value}"
        try:
            with self._http.request(
                call.method,
                (self._rules.find_sandbox(origin) or origin) + call.target,
                data=call.body,
                headers=headers,
                timeout=self._timeouts,
                allow_redirects=False,
                stream=True,
            ) as response:
                return read_answer(response), True
        except CrmError as error:
            return error.with_traceback(None), False
        except AnswerTooLargeError:
            return ConnectivityError(f"{host} sent an answer too large to be one of its own."), True
        except BrokenAnswerError as error:
            return Setback(str(error)), True
        except (requests.RequestException, HTTPError, OSError) as error:
            return self._describe_failure(error, host=host)

    def _describe_failure(self, error: Exception, *, host: str) -> tuple[Setback | CrmError, bool]:
        connect_timeout, read_timeout = self._timeouts
        cause = _find_cause(error)
        if isinstance(error, requests.exceptions.SSLError) and "certificate verify failed" in str(cause).lower():
            message = f"The certificate of {host} is not one to trust, so nothing was sent."
            return ConfigurationError(message, remedy="Check the Connection URL and the CRM's certificate."), False
        if isinstance(cause, NameResolutionError):
            return Setback(_NO_ADDRESS), False
        if isinstance(cause, NewConnectionError):  # before ConnectTimeoutError, its base class in urllib3
            return Setback("refused the connection or cannot be reached"), False
        if isinstance(cause, ConnectTimeoutError):
            return Setback(f"did not open a connection within {connect_timeout:g} seconds"), False
        if isinstance(cause, ReadTimeoutError | TimeoutError):
            return Setback(f"did not answer within {read_timeout:g} seconds"), True
        return Setback("closed the connection without a complete answer"), True


def _find_cause(error: BaseException) -> BaseException:
    """Return the innermost error that requests and urllib3 have wrapped."""
    while True:
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            return error
        error = inner
