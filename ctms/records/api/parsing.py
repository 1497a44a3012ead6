"""Reads JSON bodies of bounded size, and refuses what only Python accepts as JSON, such as NaN."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from ctms.records.api.errors import TooLargeError

LARGEST_BODY = 1024 * 1024  # bytes


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
            return json.loads(content.decode(), parse_constant=_refuse)
        except (ValueError, RecursionError) as error:
            raise ParseError(f"The body is no JSON in UTF-8: {error}") from error


def _refuse(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON.")
