"""Errors of the API as problem details (RFC 9457): every refusal has the same shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, JsonResponse
from drf_spectacular.utils import inline_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.settings import api_settings

from ctms.audit.reasons import HEADER, ReasonRequiredError
from ctms.audit.services import RecordInUseError
from ctms.configuration.registry import UnknownObjectError
from ctms.core.errors import StaleRecordError, VaultError
from ctms.core.rate_limits import TooManyRequestsError
from ctms.core.request_log import get_request_id
from ctms.records.access import AccessRefusedError
from ctms.records.api.problems import PROBLEM_TYPES, get_code
from ctms.records.lists.order.keyset_pagination import InvalidCursorError
from ctms.records.lists.query import InvalidListError
from ctms.records.writing.questions import UnconfirmedError

AMBIGUOUS = "ambiguous"
MEDIA_TYPE = "application/problem+json"
_OF_THE_WHOLE = frozenset({NON_FIELD_ERRORS, api_settings.NON_FIELD_ERRORS_KEY})
INVALID_BODY = "Nothing was saved. Correct what the errors name, and send it again."
UNCONFIRMED = (
    "Nothing was saved. Values are unusual: correct them, or send it again with confirmed__sys, the list of the fields "
    "whose values are right."
)
_INVALID_PARAMETERS = "Correct or leave out the parameters that the errors name."


class ConflictError(VaultError):
    """What is stored already stands against the request; `code` is one of `problems.PROBLEM_TYPES`.

    `name` is the field that it is about, empty if none alone is; `url` the address of the record that is there, empty
    if the user does not see it. `errors` say it by field for callers that read those.
    """

    def __init__(
        self, message: str, *, code: str, name: str = "", url: str = "", errors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(message)
        self.code, self.name, self.url, self.errors = code, name, url, [dict(each) for each in errors]


class MergedError(VaultError):
    """The record was merged into another; `url` is the address of that one."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url


class PreconditionRequiredError(VaultError):
    """A change does not say which version of the record it was made from."""


class InvalidBookmarkError(VaultError):
    """A bookmark is not one that the Vault gave to this reader for these records."""


class TooLargeError(VaultError):
    """The body of the request is larger than the API accepts."""


class InvalidHeaderError(VaultError):
    """A header cannot be understood; `name` is its name."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class KeyReusedError(VaultError):
    """Another request was answered under the same Idempotency-Key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProblem:
    """A refusal. `errors` names each wrong field or parameter and what is wrong; `more` holds further JSON members.

    `code` is one of `problems.PROBLEM_TYPES`; empty for that of the status.
    """

    status: int
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    code: str = ""

    def describe(self) -> dict[str, Any]:
        """Return the problem as JSON: `type` is the address of its documentation."""
        code = self.code or get_code(self.status)
        return {
            "type": PROBLEM_TYPES[code].url if code else "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            **({"code": code} if code else {}),
            "detail": self.detail,
            **({"errors": self.errors} if self.errors else {}),
            **self.more,
        }

    def build_response(self) -> HttpResponse:
        """Build the JSON response, whatever content type was asked for. It is ASCII, so that it can quote any input."""
        request_id = get_request_id()
        content = self.describe() | ({"request_id": request_id} if request_id else {})
        return JsonResponse(content, status=self.status, content_type=MEDIA_TYPE, headers=dict(self.headers))


_ERROR: dict[str, Any] = {
    "field": serializers.CharField(
        required=False, allow_blank=True, help_text="Of the body; left out where the whole is wrong."
    ),
    "parameter": serializers.CharField(required=False, allow_blank=True, help_text="Of the address."),
    "detail": serializers.CharField(help_text="What is wrong, and what to do."),
    "code": serializers.CharField(
        required=False,
        help_text="`unconfirmed`: the value is unusual, and saved if confirmed__sys names the field. `taken`: another "
        "record has it. `ambiguous`: it names several records. `invalid_bookmark`: ask without `since`, to be told all "
        "records again.",
    ),
}
PROBLEM = inline_serializer(
    "ApiProblem",
    {
        "type": serializers.CharField(help_text="Address of what the code means."),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "code": serializers.ChoiceField(
            choices=sorted(PROBLEM_TYPES), required=False, help_text="What a program decides by; `type` explains it."
        ),
        "detail": serializers.CharField(help_text="What is wrong, and what to do."),
        "errors": inline_serializer("ProblemError", _ERROR, many=True, required=False),
        "existing": serializers.CharField(
            required=False, help_text="Address of the record that is there, or that it was merged into."
        ),
        "field": serializers.CharField(required=False, help_text="Whose value another record has, or had."),
        "request_id": serializers.CharField(required=False, help_text="By which the Vault's log names the request."),
    },
)


def handle_exception(error: Exception, _context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the response to an error that the caller can mend; None for any other, which is a fault of the Vault."""
    problem = read_problem(error)
    return problem.build_response() if problem is not None else None


def read_problem(error: Exception) -> ApiProblem | None:
    """Return the refusal that an error is; None if it is a fault of the Vault."""
    return _read_refused(error) or _read_failed(error)


_INVALID_PARAMETER_ERRORS = (InvalidListError, InvalidCursorError, InvalidBookmarkError, InvalidHeaderError)


def _read_refused(error: Exception) -> ApiProblem | None:
    """Read an error that lists what is wrong with a body or with parameters; None for any other."""
    code, detail = "invalid", INVALID_BODY
    if isinstance(error, exceptions.ValidationError):
        errors = list_errors(error.detail)
    elif isinstance(error, UnconfirmedError):
        code, detail = "unconfirmed", UNCONFIRMED
        errors = [{**each, "code": "unconfirmed"} for each in list_errors(error.message_dict)]
    elif isinstance(error, ReasonRequiredError):
        code, errors = "reason-required", list_errors(f"{error.message} Send it in the header {HEADER}.")
    elif isinstance(error, DjangoValidationError):
        found: Any = error.message_dict if hasattr(error, "error_dict") else error.messages
        errors = list_errors(found)
    elif isinstance(error, _INVALID_PARAMETER_ERRORS):
        code, detail = "invalid-parameters", _INVALID_PARAMETERS
        errors = _list_parameters(error)
    else:
        return None
    return ApiProblem(status=status.HTTP_400_BAD_REQUEST, detail=detail, errors=errors, code=code)


def _list_parameters(error: Exception) -> list[dict[str, str]]:
    if isinstance(error, InvalidListError):
        return list_errors(error.problems, key="parameter")
    if isinstance(error, InvalidBookmarkError):
        return [{"parameter": "since", "detail": str(error), "code": "invalid_bookmark"}]
    name = error.name if isinstance(error, InvalidHeaderError) else "cursor"
    return [{"parameter": name, "detail": str(error)}]


def _read_failed(error: Exception) -> ApiProblem | None:
    """Read an error with one reason, such as a missing permission; None for one that the API does not know."""
    if isinstance(error, exceptions.APIException):
        return ApiProblem(status=error.status_code, detail=str(error.detail), headers=_list_headers(error))
    more = {"existing": error.url} if isinstance(error, ConflictError | MergedError) and error.url else {}
    if isinstance(error, ConflictError):
        more |= {"field": error.name} if error.name else {}
        known = PROBLEM_TYPES[error.code]
        return ApiProblem(status=known.status, detail=str(error), errors=error.errors, more=more, code=known.code)
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyRequestsError) else {}
    if code is None:
        return None
    named = "in-use" if isinstance(error, RecordInUseError) else ""
    return ApiProblem(status=code, detail=str(error), more=more, headers=headers, code=named)


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (Http404, status.HTTP_404_NOT_FOUND),
    (UnknownObjectError, status.HTTP_404_NOT_FOUND),
    (PermissionDenied, status.HTTP_403_FORBIDDEN),
    (AccessRefusedError, status.HTTP_403_FORBIDDEN),
    (MergedError, status.HTTP_410_GONE),
    (RecordInUseError, status.HTTP_409_CONFLICT),
    (StaleRecordError, status.HTTP_412_PRECONDITION_FAILED),
    (KeyReusedError, status.HTTP_422_UNPROCESSABLE_ENTITY),
    (PreconditionRequiredError, status.HTTP_428_PRECONDITION_REQUIRED),
    (TooManyRequestsError, status.HTTP_429_TOO_MANY_REQUESTS),
    (TooLargeError, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE),
    (RequestDataTooBig, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE),
    (SuspiciousOperation, status.HTTP_400_BAD_REQUEST),
)


def list_errors(found: Any, *, key: str = "field") -> list[dict[str, str]]:
    """Return what is wrong, given as texts by name, in the shape of a problem's `errors`."""
    if not isinstance(found, Mapping):
        found = {NON_FIELD_ERRORS: found}
    return [
        ({} if name in _OF_THE_WHOLE else {key: str(name)}) | {"detail": str(text)} | _read_code(text)
        for name, texts in found.items()
        for text in _as_list(texts)
    ]


def _read_code(text: Any) -> dict[str, str]:
    code = getattr(text, "code", "")
    return {"code": str(code)} if code == AMBIGUOUS else {}


def _as_list(texts: Any) -> Iterable[Any]:
    return texts if isinstance(texts, list | tuple) else [texts]


def _list_headers(error: exceptions.APIException) -> dict[str, str]:
    # Django REST framework's own handler sends these headers too, from the same attributes of the error.
    names = {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}
    return {name: str(value) for name, attribute in names.items() if (value := getattr(error, attribute, None))}
