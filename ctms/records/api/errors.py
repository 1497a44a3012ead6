"""Errors of the API as problem details (RFC 9457): every refusal has the same shape."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import ValidationError as DjangoValidationError
from django.http import Http404, HttpResponse, JsonResponse
from drf_spectacular.utils import inline_serializer
from rest_framework import exceptions, serializers, status
from rest_framework.settings import api_settings

from ctms.audit.services import RecordInUseError
from ctms.configuration.registry import UnknownObjectError
from ctms.core.errors import StaleRecordError, VaultError
from ctms.core.rate_limits import TooManyRequestsError
from ctms.records.access import AccessRefusedError
from ctms.records.lists.order.keyset_pagination import InvalidCursorError
from ctms.records.lists.query import InvalidListError
from ctms.records.writing.questions import UnconfirmedError

MEDIA_TYPE = "application/problem+json"
_OF_THE_WHOLE = frozenset({NON_FIELD_ERRORS, api_settings.NON_FIELD_ERRORS_KEY})
_INVALID_BODY = "Nothing was saved. Correct what the errors name, and send it again."
_UNCONFIRMED = (
    "Nothing was saved. Values are unusual: correct them, or send it again with confirmed__sys, the list of the fields "
    "whose values are right."
)
_INVALID_PARAMETERS = "Correct or leave out the parameters that the errors name."


class ExistsError(VaultError):
    """A record of that uid or external id exists already; `url` is its address, empty if the user may not see it."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url


class MergedError(VaultError):
    """The record was merged into another; `url` is the address of that one."""

    def __init__(self, message: str, *, url: str) -> None:
        super().__init__(message)
        self.url = url


class PreconditionRequiredError(VaultError):
    """A change does not say which version of the record it was made from."""


class TooLargeError(VaultError):
    """The body of the request is larger than the API accepts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiProblem:
    """A refusal. `errors` names each wrong field or parameter and what is wrong; `more` holds further JSON members."""

    status: int
    detail: str
    errors: list[dict[str, str]] = field(default_factory=list)
    more: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def build_response(self) -> HttpResponse:
        """Build the JSON response, whatever content type was asked for. It is ASCII, so that it can quote any input."""
        content = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **({"errors": self.errors} if self.errors else {}),
            **self.more,
        }
        return JsonResponse(content, status=self.status, content_type=MEDIA_TYPE, headers=dict(self.headers))


_ERROR: dict[str, Any] = {
    "field": serializers.CharField(
        required=False, allow_blank=True, help_text="Of the body; left out where the whole is wrong."
    ),
    "parameter": serializers.CharField(required=False, allow_blank=True, help_text="Of the address."),
    "detail": serializers.CharField(help_text="What is wrong, and what to do."),
    "code": serializers.CharField(
        required=False, help_text="`unconfirmed`: the value is unusual, and saved if confirmed__sys names the field."
    ),
}
PROBLEM = inline_serializer(
    "ApiProblem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(help_text="What is wrong, and what to do."),
        "errors": inline_serializer("ProblemError", _ERROR, many=True, required=False),
        "existing": serializers.CharField(
            required=False, help_text="Address of the record that is there, or that it was merged into."
        ),
    },
)


def handle_exception(error: Exception, _context: Mapping[str, Any]) -> HttpResponse | None:
    """Return the response to an error that the caller can mend; None for any other, which is a fault of the Vault."""
    problem = _read_refused(error) or _read_failed(error)
    return problem.build_response() if problem is not None else None


def _read_refused(error: Exception) -> ApiProblem | None:
    """Read an error that lists what is wrong with a body or with parameters; None for any other."""
    found: Any
    if isinstance(error, exceptions.ValidationError):
        detail, errors = _INVALID_BODY, _list_errors(error.detail)
    elif isinstance(error, UnconfirmedError):
        detail = _UNCONFIRMED
        errors = [{**each, "code": "unconfirmed"} for each in _list_errors(error.message_dict)]
    elif isinstance(error, DjangoValidationError):
        found = error.message_dict if hasattr(error, "error_dict") else error.messages
        detail, errors = _INVALID_BODY, _list_errors(found)
    elif isinstance(error, InvalidListError):
        detail, errors = _INVALID_PARAMETERS, _list_errors(error.problems, key="parameter")
    elif isinstance(error, InvalidCursorError):
        detail, errors = _INVALID_PARAMETERS, [{"parameter": "cursor", "detail": str(error)}]
    else:
        return None
    return ApiProblem(status=status.HTTP_400_BAD_REQUEST, detail=detail, errors=errors)


def _read_failed(error: Exception) -> ApiProblem | None:
    """Read an error with one reason, such as a missing permission; None for one that the API does not know."""
    if isinstance(error, exceptions.APIException):
        return ApiProblem(status=error.status_code, detail=str(error.detail), headers=_list_headers(error))
    more = {"existing": error.url} if isinstance(error, ExistsError | MergedError) and error.url else {}
    code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
    headers = {"Retry-After": str(error.seconds)} if isinstance(error, TooManyRequestsError) else {}
    return ApiProblem(status=code, detail=str(error), more=more, headers=headers) if code is not None else None


_CODES: tuple[tuple[type[Exception], int], ...] = (
    (Http404, status.HTTP_404_NOT_FOUND),
    (UnknownObjectError, status.HTTP_404_NOT_FOUND),
    (PermissionDenied, status.HTTP_403_FORBIDDEN),
    (AccessRefusedError, status.HTTP_403_FORBIDDEN),
    (ExistsError, status.HTTP_409_CONFLICT),
    (MergedError, status.HTTP_410_GONE),
    (RecordInUseError, status.HTTP_409_CONFLICT),
    (StaleRecordError, status.HTTP_412_PRECONDITION_FAILED),
    (PreconditionRequiredError, status.HTTP_428_PRECONDITION_REQUIRED),
    (TooManyRequestsError, status.HTTP_429_TOO_MANY_REQUESTS),
    (TooLargeError, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE),
    (RequestDataTooBig, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE),
    (SuspiciousOperation, status.HTTP_400_BAD_REQUEST),
)


def _list_errors(found: Any, *, key: str = "field") -> list[dict[str, str]]:
    if not isinstance(found, Mapping):
        found = {NON_FIELD_ERRORS: found}
    return [
        ({} if name in _OF_THE_WHOLE else {key: str(name)}) | {"detail": str(text)}
        for name, texts in found.items()
        for text in _as_list(texts)
    ]


def _as_list(texts: Any) -> Iterable[Any]:
    return texts if isinstance(texts, list | tuple) else [texts]


def _list_headers(error: exceptions.APIException) -> dict[str, str]:
    # Django REST framework's own handler sends these headers too, from the same attributes of the error.
    names = {"WWW-Authenticate": "auth_header", "Retry-After": "wait"}
    return {name: str(value) for name, attribute in names.items() if (value := getattr(error, attribute, None))}
