"""What a CRM answered, and what every answer means: the one place where answers are classified.

Source of the codes: Salesforce REST API Developer Guide, "Status Codes and Error Responses"; OAuth 2.0, RFC 6749, 5.2.
"""

import json
import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, NoReturn

import requests

from crm_sync.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectivityError,
    CrmError,
    LimitError,
    QueryLocatorExpired,
    RowError,
    RowResult,
)
from crm_sync.retry import parse_http_date, parse_retry_after

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""No answer of the calls used comes near; beyond it the answer is refused, packed or unpacked."""

MAX_ANSWER_SECONDS: Final = 300.0
"""Longest time one answer may trickle in; the read timeout alone only bounds each pause in it."""

RETRYABLE_CODES: Final = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}
)
_RETRYABLE_STATUSES: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_CONFIGURATION_CODES: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY"})
_CONFIGURATION_STATUSES: Final = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.REQUEST_URI_TOO_LONG}
)
_BLOCKED_FLOW_ERRORS: Final = frozenset({"unsupported_grant_type", "unauthorized_client"})
_CHUNK_BYTES: Final = 64 * 1024
_MAX_TEXT: Final = 500
_GZIP_WINDOW: Final = 31
_NOT_UNPACKED: Final = "sent an answer that cannot be unpacked"
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)

Redactor = Callable[[str], str]


class AnswerTooLargeError(Exception):
    """An answer passed the bound on its size."""


class BrokenAnswerError(Exception):
    """An answer came too slowly or is not packed as it says; its text follows the host's name in a message."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. ``payload`` is its JSON, or None together with ``is_json`` False."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    is_json: bool
    payload: Any = field(repr=False)


@dataclass(frozen=True, slots=True)
class Setback:
    """Why a call is worth another try, as words that follow the host's name; ``wait`` is what the CRM asked for."""

    reason: str
    wait: float | None = None


class LostSession:
    """The token is no longer good: one new log-in."""


Verdict = CrmError | Setback | LostSession | None
"""An error to raise, a reason to try again, a lost session, or None: the answer is good."""


def read_answer(response: requests.Response) -> Answer:
    """Read a streamed response to its end and unpack it.

    Raises AnswerTooLargeError, BrokenAnswerError, and whatever urllib3 raises for a connection that breaks.
    """
    chunks = _read_chunks(response)
    if response.headers.get("Content-Encoding", "").strip().lower() == "gzip":
        chunks = _unpack(chunks)
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError
    is_json, payload = True, None
    try:
        payload = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        is_json = False
    return Answer(status=response.status_code, headers=response.headers, is_json=is_json, payload=payload)


def _refuse_constant(name: str) -> NoReturn:
    """NaN and Infinity, which only Python takes for JSON and no database stores as such."""
    raise ValueError(name)


def _read_chunks(response: requests.Response) -> Iterator[bytes]:
    deadline = time.monotonic() + MAX_ANSWER_SECONDS
    received = 0
    while chunk := response.raw.read1(_CHUNK_BYTES, decode_content=False):
        received += len(chunk)
        if received > MAX_ANSWER_BYTES:
            raise AnswerTooLargeError
        if time.monotonic() > deadline:
            raise BrokenAnswerError(f"took more than {MAX_ANSWER_SECONDS:g} seconds to send one answer")
        yield chunk


def _unpack(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack gzip in pieces of bounded size, so that a small answer cannot grow without being noticed."""
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    try:
        for chunk in chunks:
            packed = chunk
            while packed and not unpacker.eof:
                yield unpacker.decompress(packed, _CHUNK_BYTES)
                packed = unpacker.unconsumed_tail
        yield unpacker.flush()
    except zlib.error:
        raise BrokenAnswerError(_NOT_UNPACKED) from None
    if not unpacker.eof:
        raise BrokenAnswerError(_NOT_UNPACKED)


def classify_answer(answer: Answer, *, host: str, redact: Redactor) -> Verdict:
    """Judge the answer to an API call."""
    code, words = _read_error(answer, redact=redact)
    if answer.status == HTTPStatus.UNAUTHORIZED or code == "INVALID_SESSION_ID":
        return LostSession()
    if code == "REQUEST_LIMIT_EXCEEDED":
        return LimitError(f"{host} takes no more API calls for now: {words}", code=code)
    if code == "INVALID_QUERY_LOCATOR":
        return QueryLocatorExpired(f"{host} no longer knows where the query's next page starts.", code=code)
    if code in _CONFIGURATION_CODES:
        return ConfigurationError(
            f"{host} does not know what was asked of it: {words}",
            code=code,
            remedy="Correct the names in the integration and field rules, or give the CRM user access to them.",
        )
    return _classify_status(answer, host=host, code=code, words=words)


def classify_token_answer(answer: Answer, *, host: str, flow: str, redact: Redactor) -> Verdict:
    """Judge the answer of the token endpoint; a refusal says what to change in the connection."""
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _RETRYABLE_STATUSES:
        return _classify_status(answer, host=host, code="", words="")
    payload = answer.payload if isinstance(answer.payload, dict) else {}
    code = str(payload.get("error", ""))
    if code or answer.status == HTTPStatus.UNAUTHORIZED:
        words = tidy_text(str(payload.get("error_description") or code or "no reason given"), redact=redact)
        return AuthenticationError(
            f"{host} refused the log-in: {words.rstrip('.')}.",
            code=tidy_text(code, redact=redact),
            remedy=_advise_log_in(code=code, flow=flow),
        )
    return _classify_status(answer, host=host, code="", words="no reason given")


def _advise_log_in(*, code: str, flow: str) -> str:
    if flow == "client_credentials":
        return (
            "Check the consumer key and secret in Enter Connected App Details, and that the CRM's connected app allows "
            "the client credentials flow and names the user it runs as."
        )
    if code in _BLOCKED_FLOW_ERRORS:
        return "The CRM does not allow the password flow: choose client credentials in Enter Connected App Details."
    if code in {"invalid_client", "invalid_client_id"}:
        return "Check the consumer key and consumer secret in Enter Connected App Details."
    return (
        "Check the user name and password. If they are right, the CRM may no longer allow the password flow: "
        "choose client credentials in Enter Connected App Details."
    )


def _classify_status(answer: Answer, *, host: str, code: str, words: str) -> Verdict:
    status = answer.status
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRYABLE_STATUSES or code in RETRYABLE_CODES:
        detail = f" ({code})" if code else ""
        return Setback(f"answered with status {status}{detail}", wait=_read_wait(answer))
    error: CrmError | None = None
    if status == HTTPStatus.MULTIPLE_CHOICES:
        error = CrmError(f"{host} has several records with the same external id.", code="MULTIPLE_CHOICES")
    elif HTTPStatus.MULTIPLE_CHOICES < status < HTTPStatus.BAD_REQUEST:
        error = ConfigurationError(
            f"{host} sends the call to another address, which is not followed.",
            remedy="Enter the CRM's own My Domain address as Connection URL.",
        )
    elif status == HTTPStatus.FORBIDDEN or (answer.is_json and status in _CONFIGURATION_STATUSES):
        error = ConfigurationError(
            f"{host} does not allow or does not have what was asked of it (status {status}): {words}", code=code
        )
    elif not answer.is_json:
        found = _MEDIA_TYPE.match(answer.headers.get("Content-Type", ""))
        kind = found[0] if found else "no content type"
        return Setback(f"answered with something other than JSON (status {status}, {kind})")
    elif status >= HTTPStatus.BAD_REQUEST:
        error = CrmError(f"{host} rejected the request (status {status}): {words}", code=code)
    return error


def _read_wait(answer: Answer) -> float | None:
    answered_at = parse_http_date(answer.headers.get("Date"))
    return parse_retry_after(answer.headers.get("Retry-After"), answered_at=answered_at)


def _read_error(answer: Answer, *, redact: Redactor) -> tuple[str, str]:
    """Return code and message of ``[{"message", "errorCode"}]``, empty code and a stand-in where there is none."""
    first = answer.payload[0] if isinstance(answer.payload, list) and answer.payload else None
    if answer.status < HTTPStatus.MULTIPLE_CHOICES or not isinstance(first, dict):
        return "", "no reason given"
    words = str(first.get("message", ""))
    # A bad query is quoted before this line, with whatever identifiers of people it held.
    if "ERROR at Row" in words:
        words = words.rpartition("ERROR at Row")[2].partition("\n")[2]
    return tidy_text(str(first.get("errorCode", "")), redact=redact), tidy_text(
        words, redact=redact
    ) or "no reason given"


def tidy_text(text: str, *, redact: Redactor) -> str:
    """Return text of a CRM fit for a message: one line, bounded, printable, without our own secrets."""
    line = " ".join(redact(text).split())
    return "".join(character for character in line if character.isprintable())[:_MAX_TEXT]


def drop_unstorable(text: str) -> str:
    """Return ``text`` without what a database cannot store: NUL characters and halves of surrogate pairs."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def read_rows(payload: object, *, expected: int, redact: Redactor) -> list[RowResult]:
    """Return the results of a batch in request order; raises ValueError unless there are ``expected`` of them."""
    if not isinstance(payload, list) or len(payload) != expected:
        message = "not one result per record"
        raise ValueError(message)
    return [_read_row(row, redact=redact) for row in payload]


def _read_row(row: Mapping[str, Any], *, redact: Redactor) -> RowResult:
    errors = tuple(
        RowError(
            code=tidy_text(str(error["statusCode"]), redact=redact),
            message=tidy_text(str(error.get("message", "")), redact=redact),
            fields=tuple(map(str, error.get("fields") or ())),
        )
        for error in row.get("errors") or ()
    )
    if not isinstance(row["success"], bool) or row["success"] is bool(errors):
        message = "a result must either succeed or name its errors"
        raise ValueError(message)
    if row["success"] and not row.get("id"):
        message = "a result that succeeded must name its record"
        raise ValueError(message)
    return RowResult(
        crm_id=str(row.get("id") or ""), success=row["success"], created=row.get("created") is True, errors=errors
    )


def is_retryable(result: RowResult) -> bool:
    """Return whether a refused record is worth sending again by itself."""
    return not result.success and any(error.code in RETRYABLE_CODES for error in result.errors)


def describe_exhaustion(*, host: str, setback: Setback, attempts: int, out_of_time: bool) -> ConnectivityError:
    """Return the error of a call that is not tried again: which host, what happened, how often it was tried."""
    times = "once" if attempts == 1 else f"{attempts} times"
    asked = f" It asks to wait {setback.wait:.0f} seconds." if setback.wait else ""
    reason = " The waiting time of this run is used up." if out_of_time else ""
    return ConnectivityError(f"{host} {setback.reason}; tried {times}.{asked}{reason}")
