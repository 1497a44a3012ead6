"""One call, made once: what goes over the wire, and what went wrong on it in words."""

import gzip
import json
import re
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import urlsplit

import requests
import structlog
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NameResolutionError, NewConnectionError, ReadTimeoutError

from crm_sync.answers import Answer, AnswerTooLargeError, BrokenAnswerError, Setback, read_answer
from crm_sync.errors import ConfigurationError, ConnectivityError, CrmError
from crm_sync.hosts import HTTPS_PORT, HostRules
from crm_sync.options import ClientOptions
from crm_sync.retry import parse_http_date
from crm_sync.transport import is_local_address, is_public_address, open_session, resolve_host

_MIN_BYTES_TO_PACK: Final = 1024
_NO_ADDRESS: Final = "has no address in the name service"
_API_USAGE = re.compile(r"(?<![\w-])api-usage=([0-9]{1,15})/([0-9]{1,15})")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Call:
    """One call to make; ``target`` is its path, with the query if any. Nothing of its content shows in ``repr()``."""

    method: str
    target: str = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_log_in: bool = False

    @property
    def path(self) -> str:
        """The target without its query: what may be logged."""
        return self.target.partition("?")[0]


@dataclass(frozen=True, slots=True)
class Token:
    """What a log-in gave: the token, and the origin at which it is good."""

    value: str = field(repr=False)
    origin: str


def build_json_call(*, method: str, target: str, payload: object) -> Call:
    """Return a call with a JSON body, gzipped from 1 kB on."""
    body = json.dumps(payload, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    if len(body) > _MIN_BYTES_TO_PACK:
        body = gzip.compress(body, compresslevel=1, mtime=0)
        headers["Content-Encoding"] = "gzip"
    return Call(method=method, target=target, body=body, headers=headers)


class Wire:
    """Sends calls to one CRM and keeps count of them. Thread-safe."""

    def __init__(self, *, rules: HostRules, origin: str, options: ClientOptions) -> None:
        """``origin`` is the checked ``https://host`` that log-ins go to and messages name."""
        self.host = origin.removeprefix("https://")
        self.api_calls = 0
        self.api_usage: tuple[int, int] | None = None
        self.server_time: datetime | None = None
        self._rules = rules
        self._origin = origin
        self._timeouts = options.connect_timeout, options.read_timeout
        self._http = open_session(rules=rules, ca_bundle=options.ca_bundle, pool_size=options.pool_size)
        self._lock = threading.Lock()

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def resolve(self) -> int | Setback | CrmError:
        """Look up the host, judge its addresses as every call does, and return how many there are. Never raises."""
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
        """Send ``call`` and read its answer. Never raises for what happens on the way.

        What went wrong comes back as a value, because the errors of the HTTP libraries hold the URL, and an error
        raised while they are handled would carry them along.
        """
        started = time.monotonic()
        outcome, was_sent = self._exchange(call, token=token)
        answer = outcome if isinstance(outcome, Answer) else None
        log.info(
            "crm_call",
            method=call.method,
            path=call.path,
            status=answer.status if answer else None,
            ms=round((time.monotonic() - started) * 1000),
            attempt=attempt,
        )
        usage = _API_USAGE.search(answer.headers.get("Sforce-Limit-Info", "")) if answer else None
        moment = parse_http_date(answer.headers.get("Date")) if answer else None
        with self._lock:
            self.api_calls += was_sent
            self.api_usage = (int(usage[1]), int(usage[2])) if usage else self.api_usage
            self.server_time = moment or self.server_time
        return outcome

    def _exchange(self, call: Call, *, token: Token | None) -> tuple[Answer | Setback | CrmError, bool]:
        """Return what came of the call, and whether it can have reached the CRM."""
        origin = token.origin if token else self._origin
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
            return ConnectivityError(f"{self.host} sent an answer too large to be one of its own."), True
        except BrokenAnswerError as error:
            return Setback(str(error)), True
        except (requests.RequestException, HTTPError, OSError) as error:
            return self._describe_failure(error)

    def _describe_failure(self, error: Exception) -> tuple[Setback | CrmError, bool]:
        connect_timeout, read_timeout = self._timeouts
        cause = _find_cause(error)
        if isinstance(error, requests.exceptions.SSLError) and "certificate verify failed" in str(cause).lower():
            message = f"The certificate of {self.host} is not one to trust, so nothing was sent."
            return ConfigurationError(message, remedy="Check the Connection URL and the CRM's certificate."), False
        if isinstance(cause, NameResolutionError):
            return Setback(_NO_ADDRESS), False
        if isinstance(cause, NewConnectionError):  # which urllib3 makes a kind of ConnectTimeoutError
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
