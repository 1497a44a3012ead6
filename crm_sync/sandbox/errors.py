"""The CRM's errors, as the body of a failed request or as an entry in one row of a collection's answer."""

from dataclasses import dataclass, field
from typing import Any

# HTTP statuses of error codes; every other code is answered with 400.
STATUS_BY_CODE = {
    "ENTITY_IS_DELETED": 404,
    "NOT_FOUND": 404,
    "INVALID_SESSION_ID": 401,
    "INVALID_AUTH_HEADER": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "INSUFFICIENT_ACCESS_OR_READONLY": 403,
    "METHOD_NOT_ALLOWED": 405,
    "PRECONDITION_FAILED": 412,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "URI_TOO_LONG": 414,
}


@dataclass(frozen=True, slots=True)
class LogInRefusal:
    """How the CRM refuses a log-in with correct credentials: at the token endpoint, and as a SOAP fault."""

    error: str
    description: str
    soap_code: str
    soap_message: str


LOG_IN_REFUSALS = {
    "authentication failure": LogInRefusal(
        "invalid_grant",
        "authentication failure",
        "INVALID_LOGIN",
        "Invalid username, password, security token; or user locked out.",
    ),
    "ip restricted": LogInRefusal(
        "invalid_grant",
        "ip restricted or invalid login hours",
        "LOGIN_DURING_RESTRICTED_DOMAIN",
        "cannot log in from current domain",
    ),
    "user inactive": LogInRefusal(
        "invalid_grant",
        "inactive user",
        "INVALID_LOGIN",
        "Invalid username, password, security token; or user locked out.",
    ),
    "api not enabled": LogInRefusal(
        "invalid_grant", "api not enabled", "API_CURRENTLY_DISABLED", "API is disabled for this User"
    ),
    "expired password": LogInRefusal(
        "invalid_grant",
        "expired password",
        "INVALID_OPERATION_WITH_EXPIRED_PASSWORD",
        "The users password has expired, you must call SetPassword before attempting any other API operations",
    ),
    "organisation inactive": LogInRefusal(
        "invalid_grant", "inactive organization", "ORG_LOCKED", "organization locked"
    ),
    "app not approved": LogInRefusal(
        "invalid_app_access",
        "user is not admin approved to access this app",
        "INVALID_CLIENT",
        "user is not admin approved to access this app",
    ),
    "consumer not approved": LogInRefusal(
        "invalid_grant",
        "user hasn't approved this consumer",
        "INVALID_CLIENT",
        "user hasn't approved this consumer",
    ),
    "rate exceeded": LogInRefusal("invalid_grant", "login rate exceeded", "LOGIN_RATE_EXCEEDED", "Login rate exceeded"),
}


@dataclass(slots=True)
class ApiError(Exception):
    """One error with the CRM's code. `fields` is None for errors that are not about a record; none are sent then."""

    code: str
    message: str
    fields: list[str] | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Take the HTTP status from the code unless one is given."""
        self.status = self.status or STATUS_BY_CODE.get(self.code, 400)

    def __str__(self) -> str:
        """Return code and message."""
        return f"{self.code}: {self.message}"

    def as_body(self) -> list[dict[str, Any]]:
        """Return the body of a failed request: an array with this one error."""
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            body["fields"] = self.fields
        return [body]

    def as_row(self) -> dict[str, Any]:
        """Return the error as an entry of `errors` in a row of a collection's answer."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields or []}


def not_found() -> ApiError:
    """Return the error for an address or id that does not exist."""
    return ApiError("NOT_FOUND", "The requested resource does not exist")


def unsupported_version(version: int) -> ApiError:
    """Return the error for a version of the API that is retired: 410 GONE."""
    return ApiError(
        "UNSUPPORTED_API_VERSION", f"API version {version}.0 has been retired and is no longer available", status=410
    )


LIMITS = {
    "daily": "TotalRequests Limit exceeded.",
    "requests": "ConcurrentRequests (Concurrent API Requests) Limit exceeded.",
    "long-transactions": "ConcurrentPerOrgLongTxn Limit exceeded.",
}


def limit_exceeded(limit: str) -> ApiError:
    """Return the error for a call beyond one of the `LIMITS`. They differ in their messages alone."""
    return ApiError("REQUEST_LIMIT_EXCEEDED", LIMITS[limit])
