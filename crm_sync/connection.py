"""One log-in to one CRM, and the loop that makes a call until it is answered."""

import json
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, quote_plus, urlencode

from crm_sync.answers import (
    Answer,
    LostSession,
    Setback,
    classify_answer,
    classify_token_answer,
    describe_exhaustion,
)
from crm_sync.errors import AuthenticationError, ConfigurationError, CrmError, LimitError
from crm_sync.hosts import HostRules
from crm_sync.options import ClientOptions, Credentials
from crm_sync.retry import RetryBudget, choose_delay
from crm_sync.soql import MAX_URI_BYTES
from crm_sync.wire import Call, Token, Wire

TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105 - a path
VERSIONS_PATH: Final = "/services/data/"
LONGEST_SLEEP: Final = 2.0
_SHORTEST_SECRET: Final = 4
_TOKEN = re.compile(r"[\x21-\x7e]+")
_IDENTITY: Final = re.compile(r"/id/(00D[A-Za-z0-9]{12})(?:[A-Za-z0-9]{3})?/")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Result(Generic[T]):
    value: T = field(repr=False)


class CrmConnection:
    """Makes calls to one CRM, logs in when needed, and judges every answer. Thread-safe."""

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
        # Id of the organisation that the last log-in led to, as the identity URL of the token answer names it.
        self.organisation_id = ""
        self._refusal: AuthenticationError | None = None
        self._log_in_lock = threading.Lock()

    def __repr__(self) -> str:
        """Name the host and nothing else."""
        return f"<{type(self).__name__} {self._origin}>"

    @property
    def host(self) -> str:
        """The CRM's host, as messages name it."""
        return self.wire.host

    def close(self) -> None:
        """Close every connection and forget the token."""
        self._token = None
        self.wire.close()

    def resolve(self) -> int:
        """Return how many addresses the host has, all of them judged as those of every call are. Raises CrmError."""
        found = self.wire.resolve()
        if isinstance(found, CrmError):
            raise found
        if isinstance(found, Setback):
            raise describe_exhaustion(host=self.host, setback=found, attempts=1, out_of_time=False)
        return found

    def probe(self) -> None:
        """See the host answer one call that needs no log-in, whatever the answer. Raises CrmError if it does not."""
        outcome = self.wire.send(Call(method="GET", target=VERSIONS_PATH), token=None, attempt=1)
        if isinstance(outcome, CrmError):
            raise outcome
        if isinstance(outcome, Setback):
            raise describe_exhaustion(host=self.host, setback=outcome, attempts=1, out_of_time=False)

    def log_in(self) -> None:
        """Get a new token, whether or not there is one; see ``perform`` for the errors."""
        with self._log_in_lock:
            self._refusal = None
            self._token = self._request_token()

    def check_next_path(self, url: str) -> str:
        """Return the target of a ``nextRecordsUrl`` if it stays within the API it came from."""
        origin = self._get_token(lost=None).origin
        return self._rules.check_next_path(url, origin=origin)

    def perform(self, call: Call, *, read: Callable[[Any], T]) -> T:
        """Make ``call`` until it is answered and return what ``read`` makes of the answer's JSON.

        ``read`` raises KeyError, TypeError or ValueError for JSON of an unexpected form, which counts as a setback like
        any other: the call is made again after a wait, up to ``max_attempts`` times, within the run's waiting time.
        A lost session costs one new log-in, shared by all threads that lost the same one, and no attempt.

        Raises the errors of ``crm_sync.errors``.
        """
        if len(call.target) >= MAX_URI_BYTES:
            message = f"A query for {self.host} is longer than the CRM accepts ({MAX_URI_BYTES} bytes)."
            raise ConfigurationError(message, remedy="Name fewer fields in the field rules.")
        token = None if call.is_log_in else self._get_token(lost=None)
        attempt, has_logged_in_again = 1, False
        while True:
            if not call.is_log_in:  # which costs no API call
                self._check_quota()
            outcome = self._attempt(call, token=token, attempt=attempt, read=read)
            if isinstance(outcome, _Result):
                return outcome.value
            if isinstance(outcome, CrmError):
                raise outcome
            if isinstance(outcome, LostSession):
                if has_logged_in_again:
                    message = f"{self.host} took the session away right after a new log-in."
                    raise AuthenticationError(message, remedy="Check the session settings of the CRM user.")
                token, has_logged_in_again = self._get_token(lost=token), True
                continue
            if attempt >= self._options.max_attempts:
                raise describe_exhaustion(host=self.host, setback=outcome, attempts=attempt, out_of_time=False)
            if not self.wait_for_retry(attempt=attempt, asked=outcome.wait):
                raise describe_exhaustion(host=self.host, setback=outcome, attempts=attempt, out_of_time=True)
            attempt += 1

    def wait_for_retry(self, *, attempt: int, asked: float | None = None) -> bool:
        """Wait before what failed at ``attempt`` is tried again; False, at once, if the run has no time left for it.

        Calls ``on_wait`` at least every two seconds; what that raises ends the wait and is passed on.
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
        """Return ``text`` without the secrets of this connection, should a CRM ever send one back."""
        token = self._token
        for secret in [*self._credentials.list_secrets(), *([token.value] if token else [])]:
            if len(secret) >= _SHORTEST_SECRET:
                # As it is, and as forms, JSON and HTML write it.
                spellings = {secret, quote_plus(secret), quote(secret), json.dumps(secret)[1:-1], escape(secret)}
                for spelling in sorted(spellings, key=len, reverse=True):
                    text = text.replace(spelling, "[removed]")
        return text

    def _get_token(self, *, lost: Token | None) -> Token:
        """Return the token in use; log in first if there is none or if it is the ``lost`` one."""
        with self._log_in_lock:
            if self._token is None or self._token is lost:
                if self._refusal is not None:
                    # Once is enough: each further try with the same password brings the CRM user closer to a lock.
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
            message = "not a token"
            raise ValueError(message)
        origin = self._rules.check_instance_url(payload["instance_url"], logged_in_at=self._origin)
        identity = _IDENTITY.search(str(payload.get("id") or ""))
        self.organisation_id = identity.group(1) if identity else ""
        return Token(value=value, origin=origin)

    def _check_quota(self) -> None:
        usage = self.wire.api_usage
        if usage is not None and usage[0] >= usage[1] * self._options.quota_share > 0:
            used, allowed = usage
            message = (
                f"{self.host} has used {used:,} of {allowed:,} API calls, and this connection stops at "
                f"{self._options.quota_share:.0%}."
            )
            raise LimitError(message)

    def _attempt(
        self, call: Call, *, token: Token | None, attempt: int, read: Callable[[Any], T]
    ) -> _Result[T] | CrmError | Setback | LostSession:
        """Make the call once. Errors are returned, so that none is raised with another as its context."""
        answer = self.wire.send(call, token=token, attempt=attempt)
        if not isinstance(answer, Answer):
            return answer
        if call.is_log_in:
            flow = self._credentials.flow
            verdict = classify_token_answer(answer, host=self.host, flow=flow, redact=self.redact)
        else:
            verdict = classify_answer(answer, host=self.host, redact=self.redact)
        if verdict is not None:
            return verdict
        try:
            return _Result(read(answer.payload))
        except CrmError as error:
            return error.with_traceback(None)
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
            return Setback("answered in an unexpected form")
