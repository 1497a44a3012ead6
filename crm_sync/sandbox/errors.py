"""Errors as the CRM words them: an array body for the whole request, or a row of a collection's answer."""

from dataclasses import dataclass, field
from typing import Any

# Statuses other than 400 that belong to an error code wherever it is raised.
STATUS_BY_CODE = {
    "ENTITY_IS_DELETED": 404,
    "NOT_FOUND": 404,
    "INVALID_SESSION_ID": 401,
    "INVALID_AUTH_HEADER": 401,
    "REQUEST_LIMIT_EXCEEDED": 403,
    "METHOD_NOT_ALLOWED": 405,
    "UNSUPPORTED_MEDIA_TYPE": 415,
    "URI_TOO_LONG": 414,
}


@dataclass(slots=True)
class ApiError(Exception):
    """One error with the CRM's code. ``fields`` is sent where the real CRM sends it: with errors about a record."""

    code: str
    message: str
    fields: list[str] | None = None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Fill the HTTP status from the code."""
        self.status = self.status or STATUS_BY_CODE.get(self.code, 400)

    def __str__(self) -> str:
        """Return code and message, as the CRM's own logs print them."""
        return f"{self.code}: {self.message}"

    def as_body(self) -> list[dict[str, Any]]:
        """Return the array body of a failed request."""
        body: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        if self.fields is not None:
            body["fields"] = self.fields
        return [body]

    def as_row(self) -> dict[str, Any]:
        """Return the entry of ``errors`` in a row of a collection's answer."""
        return {"statusCode": self.code, "message": self.message, "fields": self.fields or []}


def not_found() -> ApiError:
    """Return the answer to an address or id that names nothing."""
    return ApiError("NOT_FOUND", "The requested resource does not exist")
