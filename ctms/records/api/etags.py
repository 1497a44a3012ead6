"""ETags say what was read: `"<which version>-<which answer>"`, both as digests that tell nothing else.

A change names the ETag that its record was read with in If-Match: the version must still be the same, so that nobody's
change is lost. A reader names it in If-None-Match: if the whole answer is still the same, it is not sent again. The
answer also changes with the fields that are asked for, with the names of other records in it, and with what the reader
may see.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.utils.crypto import salted_hmac
from rest_framework.request import Request
from rest_framework.utils.encoders import JSONEncoder

from ctms.core.errors import StaleRecordError
from ctms.records.api.errors import PreconditionRequiredError

_ANY, _WEAK, _JOIN = "*", "W/", "-"
_SALT = "ctms.records.api.etags"
_ETAG = re.compile(rf'"([^"{_JOIN}]+)(?:{_JOIN}[^"]*)?"')
_LENGTH = 32  # characters of 4 bits: nobody finds two answers of the same digest


def format_etag(*, record: Any, shown: Any) -> str:
    """Return the ETag of an answer, `shown`, with one record."""
    return f'"{_name_version(record, secret=settings.SECRET_KEY)}{_JOIN}{_digest_answer(shown)}"'


def format_answer_etag(shown: Any) -> str:
    """Return the ETag of an answer with many records."""
    return f'"{_digest_answer(shown)}"'


def is_known(*, request: Request, etag: str) -> bool:
    """Whether If-None-Match says that the client has the answer with this ETag."""
    header = request.headers.get("If-None-Match", "").strip()
    return header == _ANY or etag in _split(header)


def require_match(*, request: Request, record: Any) -> int | None:
    """Check If-Match and return the version for the writer to check again under its lock; None if any version will do.

    It names an ETag, or the version itself in quotes, as items of lists have it. Raises PreconditionRequiredError
    without If-Match, and StaleRecordError if it names only other versions.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise PreconditionRequiredError(
            "Send the header If-Match with the ETag that the record was read with, so that nobody's change is lost."
        )
    if header == _ANY:
        return None
    named = {found[1] for each in _split(header) if (found := _ETAG.fullmatch(each)) is not None}
    if named.isdisjoint(_name_versions(record)):
        raise StaleRecordError(
            f"{record} is at version {record.version}, which If-Match does not name: somebody changed it. "
            "Read it and apply your change again; nothing was saved."
        )
    version: int = record.version
    return version


def _split(header: str) -> set[str]:
    """Return the ETags of a header. Whatever compresses an answer on its way makes its ETag a weak one."""
    return {each.strip().removeprefix(_WEAK) for each in header.split(",")}


def _name_versions(record: Any) -> Iterator[str]:
    """Yield the ways in which the present version of a record may be named."""
    yield str(record.version)
    for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS):
        yield _name_version(record, secret=secret)


def _name_version(record: Any, *, secret: str | bytes) -> str:
    return _digest(f"{record.object_name}:{record.uid}:{record.version}", secret=secret)


def _digest_answer(shown: Any) -> str:
    return _digest(json.dumps(shown, cls=JSONEncoder, sort_keys=True), secret=settings.SECRET_KEY)


def _digest(text: str, *, secret: str | bytes) -> str:
    return salted_hmac(_SALT, text, secret=secret, algorithm="sha256").hexdigest()[:_LENGTH]
