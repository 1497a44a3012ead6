"""Read the answers of a CRM and decide what each means: success, error, retry or new log-in.

Source of the codes: Salesforce REST API Developer Guide, "Status Codes and Error Responses"; OAuth 2.0, RFC 6749, 5.2.
"""

import re
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

import requests

from crm_sync.crm.errors import (
    AuthenticationError,
    ConfigurationError,
    ConnectivityError,
    CrmError,
    LimitError,
    QueryLocatorExpired,
    RowResult,
)
from crm_sync.salesforce.log_in_remedies import advise_log_in, find_cause_remedy
from crm_sync.salesforce.refusals import describe_refusal
from crm_sync.salesforce.retry import parse_http_date, parse_retry_after
from ctms.core.json_text import read_json

MAX_ANSWER_BYTES: Final = 64 * 1024 * 1024
"""A larger answer, compressed or not, is refused; those of the calls made here are far smaller."""

MAX_ANSWER_SECONDS: Final = 300.0
"""Longest time for receiving one answer; the read timeout limits each pause in it, not the whole."""

RETRYABLE_CODES: Final = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}
)
_RETRYABLE_STATUSES: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_CONFIGURATION_CODES: Final = frozenset({"INVALID_FIELD", "INVALID_TYPE", "MALFORMED_QUERY"})
_CONFIGURATION_STATUSES: Final = frozenset(
    {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.REQUEST_URI_TOO_LONG}
)
_CHUNK_BYTES: Final = 64 * 1024
_MAX_TEXT: Final = 500
_GZIP_WINDOW: Final = 31
_NOT_UNPACKED: Final = "sent an answer that cannot be unpacked"
_PATH_VERSION: Final = re.compile(r"/services/data/(v[0-9.]+)")
_MEDIA_TYPE: Final = re.compile(r"[\w.+-]{1,60}/[\w.+-]{1,60}", re.ASCII)

Redactor = Callable[[str], str]


class AnswerTooLargeError(Exception):
    """An answer is larger than `MAX_ANSWER_BYTES`."""


class BrokenAnswerError(Exception):
    """An answer came too slowly or cannot be unpacked; the text continues a sentence that begins with the host."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer. `payload` is the JSON of its `body`; if that is not JSON, None, and `is_json` is False."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    is_json: bool
    payload: Any = field(repr=False)
    body: bytes | bytearray = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Setback:
    """A failure after which the call is tried again.

    `reason` continues a sentence that begins with the host; `wait` is the delay in seconds that the CRM asked for.
    """

    reason: str
    wait: float | None = None


class LostSession:
    """The CRM no longer accepts the token; the call needs a new log-in."""


Verdict = CrmError | Setback | LostSession | None
"""An error to raise, a reason to try again, a lost session, or None for a good answer."""


def read_answer(response: requests.Response) -> Answer:
    """Read a streamed response to its end and unpack it.

    Raises AnswerTooLargeError, BrokenAnswerError, and the errors of urllib3 for a connection that breaks.
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
        payload = read_json(body)
    except (ValueError, RecursionError):
        is_json = False
    return Answer(status=response.status_code, headers=response.headers, is_json=is_json, payload=payload, body=body)


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
    """Unpack gzip in pieces of bounded size, so that the limit on the size is noticed in time."""
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


def classify_answer(answer: Answer, *, host: str, asked: str, redact: Redactor) -> Verdict:
    """Decide what the answer to an API call means. No message holds a secret: `redact` removes them.

    `host` is the one that answered, `asked` what it was asked for: purpose, method and path of the call.
    """
    code, words = _read_error(answer, redact=redact)
    if answer.status == HTTPStatus.UNAUTHORIZED or code == "INVALID_SESSION_ID":
        return LostSession()
    if code == "REQUEST_LIMIT_EXCEEDED":
        if "concurrent" in words.lower():  # ConcurrentPerOrgLongTxn and the like pass; the limit of a day does not
            return Setback(f"was busy with other calls ({words.rstrip('.')})", wait=_read_wait(answer))
        return LimitError(f"{host} takes no more API calls for now: {words}", code=code)
    if code == "INVALID_QUERY_LOCATOR":
        return QueryLocatorExpired(f"{host} no longer knows where the query's next page starts.", code=code)
    error = _find_wrong_name(answer, host=host, asked=asked, code=code, words=words)
    return error or _classify_status(answer, host=host, code=code, words=words)


def _find_wrong_name(answer: Answer, *, host: str, asked: str, code: str, words: str) -> ConfigurationError | None:
    """Return the error of an answer that does not know a version, an object or a field; None for other answers."""
    if answer.status == HTTPStatus.GONE or code == "UNSUPPORTED_API_VERSION":
        return ConfigurationError(
            f"{host} no longer offers the version of its API that the Vault uses ({_find_version(asked)}).",
            code=code or "UNSUPPORTED_API_VERSION",
            remedy="Have IT operations set CRM_API_VERSION to a version that the CRM offers, see Test Connection.",
        )
    if code in _CONFIGURATION_CODES:
        return ConfigurationError(
            f"{host} does not know what was asked of it: {words}",
            code=code,
            remedy="Correct the names in the integration and field rules, or give the CRM user access to them.",
        )
    if answer.status == HTTPStatus.NOT_FOUND and answer.is_json:
        return ConfigurationError(
            f"{host} does not have what it was asked for, {asked} (status 404): {words}",
            code=code,
            remedy="Correct the name of the object in the integration rule, or let the CRM user see it. If it is "
            "right, Test Connection tells whether the CRM offers the version of its API.",
        )
    return None


def _find_version(asked: str) -> str:
    found = _PATH_VERSION.search(asked)
    return found[1] if found else "unknown"


def classify_token_answer(answer: Answer, *, host: str, flow: str, redact: Redactor) -> Verdict:
    """Decide what the answer of the token endpoint means; the error of a refusal says what to change."""
    if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status in _RETRYABLE_STATUSES:
        return _classify_status(answer, host=host, code="", words="")
    payload = answer.payload if isinstance(answer.payload, dict) else {}
    code = str(payload.get("error", ""))
    if code or answer.status == HTTPStatus.UNAUTHORIZED:
        words = tidy_text(str(payload.get("error_description") or code or "no reason given"), redact=redact)
        return AuthenticationError(
            f"{host} refused the log-in: {words.rstrip('.')}.",
            code=tidy_text(code, redact=redact),
            remedy=advise_log_in(code=code, words=words, flow=flow),
        )
    return _classify_status(answer, host=host, code="", words="no reason given")


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
            f"{host} does not allow or does not have what was asked of it (status {status}): {words}",
            code=code,
            remedy=find_cause_remedy(code=code, words=words),
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
    """Return code and message of `[{"message", "errorCode"}]`; without one, `""` and "no reason given"."""
    first = answer.payload[0] if isinstance(answer.payload, list) and answer.payload else None
    if answer.status < HTTPStatus.MULTIPLE_CHOICES or not isinstance(first, dict):
        return "", "no reason given"
    words = str(first.get("message", ""))
    # The CRM quotes a bad query before this line, and a query may hold identifiers of people.
    if "ERROR at Row" in words:
        words = words.rpartition("ERROR at Row")[2].partition("\n")[2]
    return tidy_text(str(first.get("errorCode", "")), redact=redact), tidy_text(
        words, redact=redact
    ) or "no reason given"


def tidy_text(text: str, *, redact: Redactor) -> str:
    """Return text of a CRM for use in a message: one printable line of limited length, without secrets."""
    line = " ".join(redact(text).split())
    return "".join(character for character in line if character.isprintable())[:_MAX_TEXT]


def drop_unstorable(text: str) -> str:
    """Return `text` without characters that a database cannot store: NUL and lone surrogates (replaced by `?`)."""
    return text.replace("\x00", "").encode(errors="replace").decode()


def read_rows(payload: object, *, expected: int, redact: Redactor) -> list[RowResult]:
    """Return the results of a batch in request order; raises ValueError if there are not `expected` results."""
    if not isinstance(payload, list) or len(payload) != expected:
        raise ValueError("not one result per record")
    return [_read_row(row, redact=redact) for row in payload]


def _read_row(row: Mapping[str, Any], *, redact: Redactor) -> RowResult:
    errors = tuple(
        describe_refusal(
            code=tidy_text(str(error["statusCode"]), redact=redact),
            message=tidy_text(str(error.get("message", "")), redact=redact),
            fields=tuple(map(str, error.get("fields") or ())),
        )
        for error in row.get("errors") or ()
    )
    if not isinstance(row["success"], bool) or row["success"] is bool(errors):
        raise ValueError("a result must either succeed or name its errors")
    if row["success"] and not row.get("id"):
        raise ValueError("a result that succeeded must name its record")
    return RowResult(
        crm_id=str(row.get("id") or ""), success=row["success"], created=row.get("created") is True, errors=errors
    )


def is_retryable(result: RowResult) -> bool:
    """Return whether a record was refused for a passing reason, so that it is sent again."""
    return not result.success and any(error.code in RETRYABLE_CODES for error in result.errors)


def describe_exhaustion(*, host: str, setback: Setback, attempts: int, out_of_time: bool) -> ConnectivityError:
    """Return the error for a call that is not tried again: host, last failure and number of attempts."""
    times = "once" if attempts == 1 else f"{attempts} times"
    asked = f" It asks to wait {setback.wait:.0f} seconds." if setback.wait else ""
    reason = " The waiting time of this run is used up." if out_of_time else ""
    return ConnectivityError(f"{host} {setback.reason}; tried {times}.{asked}{reason}")
