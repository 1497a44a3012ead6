"""Reads JSON bodies of bounded size, and refuses what only Python accepts as JSON, such as NaN.

Names that are no text are refused as well: answers quote the names that were sent, and neither UTF-8 nor a database
has half a character. Values are judged by their fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from ctms.records.api.errors import TooLargeError

LARGEST_BODY = 1024 * 1024  # bytes
# How JSON writes a zero character or half a character; a pair of halves is a whole one.
_SUSPECT = re.compile(r"\\u(?:0000|[dD][89a-fA-F])")
_UNFIT = re.compile("[\\0\ud800-\udfff]")


class BoundedJSONParser(BaseParser):
    """Reads at most `LARGEST_BODY` bytes, whatever length the caller declares."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,  # noqa: ARG002  Django REST framework's signature
        parser_context: Mapping[str, Any] | None = None,  # noqa: ARG002  Django REST framework's signature
    ) -> Any:
        content = stream.read(LARGEST_BODY + 1)
        if len(content) > LARGEST_BODY:
            raise TooLargeError(f"The body is larger than {LARGEST_BODY:,} bytes. Send less.")
        try:
            text = content.decode()
            found = json.loads(text, parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is no JSON in UTF-8: {error}") from error
        if _SUSPECT.search(text):
            _require_names(found)
        return found


def _require_names(found: Any) -> None:
    """Raise ParseError for the first name of a member, at any depth, that holds a zero or half a character."""
    left = [found]
    while left:
        value = left.pop()
        if isinstance(value, dict):
            unfit = next(filter(_UNFIT.search, value), None)
            if unfit is not None:
                raise ParseError(f"A member of the body has the name {unfit!a}, which is no text. Leave it out.")
            left.extend(value.values())
        elif isinstance(value, list):
            left.extend(value)


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON.")
