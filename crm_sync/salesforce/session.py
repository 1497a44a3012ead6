"""Log in to one CRM, and make calls with retries, new log-ins and the limit on API calls."""

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar
from urllib.parse import quote, quote_plus, urlencode

from crm_sync.crm.clocks import CLOCK_REMEDY, describe_clock_offset
from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
    CrmError,
    LimitError,
    QueryLocatorExpired,
)
from crm_sync.crm.exchanges import LONGEST_SHOWN, MASK, Exchange
from crm_sync.crm.hosts import HostRules
from crm_sync.salesforce.http import Call, Token, Wire, unpack_body
from crm_sync.salesforce.jwt_bearer import GRANT_TYPE, build_assertion
from crm_sync.salesforce.options import ClientOptions, Credentials, KeyPair
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
from ctms.core.clock import get_now

TOKEN_PATH: Final = "/services/oauth2/token"  # noqa: S105  a path
VERSIONS_PATH: Final = "/services/data/"
LONGEST_SLEEP: Final = 2.0
_SHORTEST_SECRET: Final = 4
# How a CRM refuses an address that itself has given for a query's next page: the query is started again.
_FORGOTTEN_STATUSES: Final = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_TOKEN = re.compile(r"[\x21-\x7e]+")
_IDENTITY: Final = re.compile(r"/id/(00D[A-Za-z0-9]{12})(?:[A-Za-z0-9]{3})?/(005[A-Za-z0-9]{12,15})?")

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
        self._log_in_origin = self._find_log_in_origin()
        self._options = options
        self._on_wait = on_wait
        self.wire = Wire(rules=self._rules, origin=self._origin, options=options)
        self._budget = RetryBudget(options.retry_budget_seconds)
        self._token: Token | None = None
        self._carried: tuple[str, ...] = ()
        # Ids of organisation and user of the last log-in, from the identity URL in the answer with the token.
        self.organisation_id = ""
        self.user_id = ""
        # PEM text of the certificate of the last log-in; empty for other flows.
        self.proven_certificate = ""
        self._assertions: list[str] = []
        self._refusal: AuthenticationError | None = None
        self._log_in_lock = threading.Lock()

    def __repr__(self) -> str:
        """Return the origin and nothing else, because the other attributes hold secrets."""
        return f"<{type(self).__name__} {self._origin}>"

    @property
    def host(self) -> str:
        """The CRM's host, for messages."""
        return self.wire.host

    @property
    def log_in_host(self) -> str:
        """The host that is asked for tokens: the CRM's own, or the one that many organisations share."""
        return self._log_in_origin.removeprefix("https://")

    def _find_log_in_origin(self) -> str:
        """Return the checked origin for token requests; for a sandbox always its own, which stands in for all hosts."""
        audience = self._credentials.audience
        if not audience or self._rules.find_sandbox(self._origin):
            return self._origin
        return self._rules.check_origin(audience)

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
                host = self.log_in_host if call.is_log_in else self.wire.name_host(token)
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
        held = [*self._credentials.list_secrets(), *self._assertions, *self._carried]
        for secret in [*held, *([token.value] if token else [])]:
            if len(secret) >= _SHORTEST_SECRET:
                # A secret may come back as it is, or as written in forms, JSON and HTML.
                spellings = {secret, quote_plus(secret), quote(secret), json.dumps(secret)[1:-1], escape(secret)}
                for spelling in sorted(spellings, key=len, reverse=True):
                    text = text.replace(spelling, MASK)
        return text

    def rehearse(self, call: Call) -> None:
        """Show a call that is not made, as it would be made; logs in first if there is no token yet."""
        self._show(call, token=self._get_token(lost=None), outcome=None, milliseconds=0)

    def _show(
        self, call: Call, *, token: Token | None, outcome: Answer | Setback | CrmError | None, milliseconds: int
    ) -> None:
        """Show a call, with its outcome or as one that is not sent, to whoever watches; log-ins are not shown."""
        if self._options.watch is None or call.is_log_in:
            return
        headers = {name: self.redact(value) for name, value in call.headers.items()}
        headers["Authorization"] = f"Bearer {MASK}"
        answer = outcome if isinstance(outcome, Answer) else None
        text = answer.body.decode(errors="replace") if answer is not None else ""
        self._options.watch(
            Exchange(
                purpose=call.purpose,
                method=call.method,
                url=(token.origin if token is not None else self._origin) + call.target,
                headers=headers,
                body=self.redact(unpack_body(call)),
                was_packed="Content-Encoding" in call.headers,
                was_sent=outcome is not None,
                status=answer.status if answer is not None else None,
                answer=self.redact(text)[:LONGEST_SHOWN],
                problem=_name_problem(outcome, host=self.wire.name_host(token)),
                milliseconds=milliseconds,
            )
        )

    def add_secret(self, text: str) -> None:
        """Remove this text, too, from what the CRM sends back."""
        self._carried = (*self._carried, text)

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
        try:
            if self._credentials.flow == "jwt_bearer":
                return self._request_token_by_key()
            return self.perform(self._build_token_call(self._credentials.build_form()), read=self._read_token)
        except AuthenticationError as error:
            self._refusal = error
            raise

    def _build_token_call(self, form: Mapping[str, str]) -> Call:
        return Call(
            method="POST",
            target=TOKEN_PATH,
            body=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            is_log_in=True,
            origin=self._log_in_origin,
        )

    def _request_token_by_key(self) -> Token:
        """Try the key pairs in their order; raises the refusal of the last one, which is the one in use."""
        *others, last = self._credentials.key_pairs
        for pair in others:
            try:
                return self._sign_and_ask(pair)
            except AuthenticationError:  # the CRM does not have a renewed certificate yet: the one in use follows
                continue
        try:
            return self._sign_and_ask(last)
        except AuthenticationError as error:
            offset = describe_clock_offset(self.wire.clock)
            remedy = f"{offset} {CLOCK_REMEDY} {error.remedy}" if offset else error.remedy
            refusal = AuthenticationError(error.message, code=error.code, remedy=remedy)
        raise refusal

    def _sign_and_ask(self, pair: KeyPair) -> Token:
        # Not kept in a variable, which a traceback would show; kept so that an echo of it is removed from messages.
        self._assertions = [
            *self._assertions[-1:],
            build_assertion(
                pair=pair,
                issuer=self._credentials.consumer_key,
                subject=self._credentials.username,
                audience=self._credentials.audience or self._origin,
                now=get_now(),
            ),
        ]
        call = self._build_token_call({"grant_type": GRANT_TYPE, "assertion": self._assertions[-1]})
        token = self.perform(call, read=self._read_token)
        self.proven_certificate = pair.certificate
        return token

    def _read_token(self, payload: Any) -> Token:
        value = payload["access_token"]
        if not _TOKEN.fullmatch(value):
            raise ValueError("not a token")
        origin = self._rules.check_instance_url(payload["instance_url"], logged_in_at=self._origin)
        if self._origin not in {self._log_in_origin, origin}:
            host = origin.removeprefix("https://")
            raise ConfigurationError(
                f"{self.log_in_host} logged in to {host}, not to {self.host}, so nothing was sent there.",
                remedy=f"If {host} is the organisation meant, enter it as Connection URL; else correct the user name "
                "or the consumer key of the Authorization.",
            )
        identity = _IDENTITY.search(str(payload.get("id") or ""))
        self.organisation_id = identity.group(1) if identity else ""
        self.user_id = identity.group(2) if identity else ""
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
        began = time.monotonic()
        answer = self.wire.send(call, token=token, attempt=attempt)
        self._show(call, token=token, outcome=answer, milliseconds=round((time.monotonic() - began) * 1000))
        if not isinstance(answer, Answer):
            return answer
        if call.is_log_in:
            flow = self._credentials.flow
            verdict = classify_token_answer(answer, host=self.log_in_host, flow=flow, redact=self.redact)
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


def _name_problem(outcome: Answer | Setback | CrmError | None, *, host: str) -> str:
    if isinstance(outcome, Setback):
        return f"{host} {outcome.reason}."
    return str(outcome) if isinstance(outcome, CrmError) else ""
