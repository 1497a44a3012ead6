"""ETags prevent lost updates: a change names the version that it was made from, as `If-Match: "<version>"`."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from ctms.core.errors import StaleRecordError
from ctms.records.api.errors import PreconditionRequiredError

_ANY = "*"


def format_etag(record: Any) -> str:
    """Return the ETag of a record: its version in quotes."""
    return f'"{record.version}"'


def require_match(*, request: Request, record: Any) -> int | None:
    """Check If-Match and return the version for the writer to check again under its lock; None if any version will do.

    Raises PreconditionRequiredError without If-Match, and StaleRecordError if it names only other versions.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise PreconditionRequiredError(
            "Send the header If-Match with the ETag that the record was read with, so that nobody's change is lost."
        )
    if header == _ANY:
        return None
    if format_etag(record) not in [each.strip() for each in header.split(",")]:
        raise StaleRecordError(
            f"{record} is at version {record.version}, which If-Match does not name: somebody changed it. "
            "Read it and apply your change again; nothing was saved."
        )
    version: int = record.version
    return version
