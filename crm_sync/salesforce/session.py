"""Log in to one CRM, and make calls with retries, new log-ins and the limit on API calls."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, quote_plus, urlencode

from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
    CrmError,
    LimitError,
    QueryLocatorExpired,
)
from crm_sync.crm.hosts import HostRules
from crm_sync.salesforce.http import Call, Token, Wire
from crm_sync.salesforce.options import ClientOptions, Credentials
from crm_sync.salesforce.responses import (
    Answer,
    LostSession,
    Setback,
    classify_answer,
    classify_token_answer,
    describe_exhaustion,
)
from crm_sync.salesforce.retry import RetryBudget, choose_delay
from crm_sync.salesforce.soql import MAX_URI_BYTES

TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105  a path
VERSIONS_PATH: Final = "/services/data/"
LONGEST_SLEEP: Final = 2.0
_SHORTEST_SECRET: Final = 4
# How a CRM refuses an address that itself has given for a query's next page: the query is started again.
_FORGOTTEN_STATUSES: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_TOKEN = re.compile(r"[\x21-\x7e]+")
_IDENTITY: Final = re.compile(r"/id/(00D[A-Za-z0-9]{12})(?:[A-Za-z0-9]{3})?/")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T = field(repr=False)


class CrmConnection:
    """Makes calls to one CRM, logs in when needed, and tries again after passing failures. Thread-safe."""

    def __init__(
        self, *, base_url: str, credentials: Credentials, options: ClientOptions, on_wait: Callable[[], None] | None
    ) -> None:
        """Check the address and open the session; nothing is sent yet. Raises ConfigurationError."""
        self._rules = HostRules(allowed_suffixes=options.allowed_host_suffixes, sandbox_origins=options.sandbox_origins)
        self._origin = self._rules.check_origin(base_url)
        self._credentials = credentials
        self._options = options
        self._on_wait = on_wait
        self.wire = Wire(rules=self._rules, origin=self._origin, options=options)
        self._budget = RetryBudget(options.retry_budget_seconds)
        self._token: Token | None = None
        # Id of the organisation of the last log-in, from the identity URL in the answer with the token.
        self.organisation_id = ""
        self._refusal: AuthenticationError | None = None
        self._log_in_lock = threading.Lock()

    def __repr__(self) -> str:
        """Return the origin and nothing else, because the other attributes hold secrets."""
        return f"<{type(self).__name__} {self._origin}>"

    @property
    def host(self) -> str:
        """The CRM's host, for messages."""
        return self.wire.host

    def close(self) -> None:
        """Close every connection and forget the token."""
        self._token = None
        self.wire.close()

    def resolve(self) -> int:
        """Look up the host, check its addresses as every call does, and return how many there are. Raises CrmError."""
        found = self.wire.resolve()
        if isinstance(found, CrmError):
            raise found
        if isinstance(found, Setback):
            raise describe_exhaustion(host=self.host, setback=found, attempts=1, out_of_time=False)
        return found

    def probe(self) -> None:
        """Check that the host answers a call that needs no log-in, whatever the answer is. Raises CrmError if not."""
        outcome = self.wire.send(Call(method="GET", target=VERSIONS_PATH), token=None, attempt=1)
        if isinstance(outcome, CrmError):
            raise outcome
        if isinstance(outcome, Setback):
            raise describe_exhaustion(host=self.host, setback=outcome, attempts=1, out_of_time=False)

    def log_in(self) -> None:
        """Get a new token, even if there is one already; raises the errors of `perform`."""
        with self._log_in_lock:
            self._refusal = None
            self._token = self._request_token()

    def check_next_path(self, url: str) -> str:
        """Return path and query of a `nextRecordsUrl`; raises ConfigurationError if it leaves the CRM's API."""
        origin = self._get_token(lost=None).origin
        return self._rules.check_next_path(url, origin=origin, root=VERSIONS_PATH)

    def perform(self, call: Call, *, read: Callable[[Any], T]) -> T:
        """Make `call`, again if necessary, and return `read(payload)` for the JSON of a good answer.

        After a setback the call is made again: up to `max_attempts` times in all, within the run's budget for waiting.
        JSON of an unexpected form, for which `read` raises KeyError, TypeError or ValueError, is a setback too.
        A lost session leads to one new log-in, shared by all threads that lost it, and does not count as an attempt.

        Raises the errors of `crm_sync.crm.errors`.
        """
        if len(call.target) >= MAX_URI_BYTES:
            raise ConfigurationError(
                f"A query for {self.host} is longer than the CRM accepts ({MAX_URI_BYTES} bytes).",
                remedy="Name fewer fields in the field rules.",
            )
        token = None if call.is_log_in else self._get_token(lost=None)
        attempt, has_logged_in_again = 1, False
        while True:
            if not call.is_log_in and call.target != VERSIONS_PATH:  # these two cost no API call
                self._check_quota()
            outcome = self._attempt(call, token=token, attempt=attempt, read=read)
            if isinstance(outcome, _Result):
                return outcome.value
            if isinstance(outcome, CrmError):
                raise outcome
            if isinstance(outcome, LostSession):
                if has_logged_in_again:
                    raise AuthenticationError(
                        f"{self.wire.name_host(token)} took the session away right after a new log-in.",
                        remedy="Check the session settings of the CRM user.",
                    )
                token, has_logged_in_again = self._get_token(lost=token), True
                continue
            is_last = attempt >= self._options.max_attempts
            if is_last or not self.wait_for_retry(attempt=attempt, asked=outcome.wait):
                host = self.wire.name_host(token)
                raise describe_exhaustion(host=host, setback=outcome, attempts=attempt, out_of_time=not is_last)
            attempt += 1

    def wait_for_retry(self, *, attempt: int, asked: float | None = None) -> bool:
        """Wait after the failed attempt number `attempt`; return False at once if the run's budget is used up.

        Calls `on_wait` at least every two seconds; an error that it raises ends the wait.
        """
        options = self._options
        delay = choose_delay(
            attempt=attempt, base=options.backoff_base_seconds, cap=options.backoff_cap_seconds, asked=asked
        )
        if not self._budget.reserve(delay):
            return False
        end = time.monotonic() + delay
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LONGEST_SLEEP))
            if self._on_wait is not None:
                self._on_wait()
        return True

    def redact(self, text: str) -> str:
        """Return `text` with the secrets of this connection removed, in case the CRM sent one back."""
        token = self._token
        for secret in [*self._credentials.list_secrets(), *([token.value] if token else [])]:
            if len(secret) >= _SHORTEST_SECRET:
                # A secret may come back as it is, or as written in forms, JSON and HTML.
                spellings = {secret, quote_plus(secret), quote(secret), json.dumps(secret)[1:-1], escape(secret)}
                for spelling in sorted(spellings, key=len, reverse=True):
                    text = text.replace(spelling, "[removed]")
        return text

    def _get_token(self, *, lost: Token | None) -> Token:
        """Return the token in use; log in first if there is none, or if it is the `lost` one."""
        with self._log_in_lock:
            if self._token is None or self._token is lost:
                if self._refusal is not None:
                    # Each further try with the same password could lock the CRM user out.
                    raise AuthenticationError(
                        self._refusal.message, code=self._refusal.code, remedy=self._refusal.remedy
                    )
                self._token = self._request_token()
            return self._token

    def _request_token(self) -> Token:
        call = Call(
            method="POST",
            target=TOKEN_PATH,
            body=urlencode(self._credentials.build_form()).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            is_log_in=True,
        )
        try:
            return self.perform(call, read=self._read_token)
        except AuthenticationError as error:
            self._refusal = error
            raise

    def _read_token(self, payload: Any) -> Token:
        value = payload["access_token"]
        if not _TOKEN.fullmatch(value):
            raise ValueError("not a token")
        origin = self._rules.check_instance_url(payload["instance_url"], logged_in_at=self._origin)
        identity = _IDENTITY.search(str(payload.get("id") or ""))
        self.organisation_id = identity.group(1) if identity else ""
        return Token(value=value, origin=origin)

    def _check_quota(self) -> None:
        usage = self.wire.api_usage
        if usage is not None and usage[0] >= usage[1] * self._options.quota_share > 0:
            used, allowed = usage
            raise LimitError(
                f"{self.host} has used {used:,} of {allowed:,} API calls, and this connection stops at "
                f"{self._options.quota_share:.0%}."
            )

    def _attempt(
        self, call: Call, *, token: Token | None, attempt: int, read: Callable[[Any], T]
    ) -> _Result[T] | CrmError | Setback | LostSession:
        """Make the call once. Errors are returned instead of raised, so that none has another as its context."""
        answer = self.wire.send(call, token=token, attempt=attempt)
        if not isinstance(answer, Answer):
            return answer
        if call.is_log_in:
            flow = self._credentials.flow
            verdict = classify_token_answer(answer, host=self.host, flow=flow, redact=self.redact)
        else:
            host = self.wire.name_host(token)
            verdict = classify_answer(answer, host=host, asked=call.asked, redact=self.redact)
            if call.is_next_page and answer.status in _FORGOTTEN_STATUSES and not isinstance(verdict, LimitError):
                return QueryLocatorExpired(f"{host} refused the query's next page (status {answer.status}).")
        if verdict is not None:
            return verdict
        try:
            return _Result(read(answer.payload))
        except CrmError as error:
            return error.with_traceback(None)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return Setback("answered in an unexpected form")
