"""Build SOQL from checked names and escaped literals.

Escapes: Salesforce, SOQL and SOSL Reference, "Quoted String Escape Sequences".
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Final
from urllib.parse import quote_plus

from crm_sync.crm.errors import ConfigurationError
from crm_sync.crm.numbers import is_spelled_number

MAX_URI_BYTES: Final = 16_384
"""Longest request target that the CRM accepts; for a longer one it answers 414."""

MAX_VALUES_PER_LIST: Final = 200

Literal = str | bool | int | date | datetime | None

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)*")
_OPERATORS: Final = frozenset({"=", "!=", "<", "<=", ">", ">="})
_ESCAPES: Final = {"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
_DIRECTIONS: Final = frozenset({"", "ASC", "DESC"})


def check_name(name: str) -> str:
    """Return `name` if it can be the name of an object or of a (related) field.

    Raises ConfigurationError that quotes the name, because admins enter names in integration and field rules.
    """
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name!r} is not a name of an object or field of the CRM.",
            remedy="Correct the name in the integration rule or field rule.",
        )
    return name


def quote(value: str) -> str:
    """Return `value` as a SOQL string literal, quotes included."""
    return "'" + "".join(map(_escape_character, value)) + "'"


def _escape_character(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    needs_code = character < " " or character == "\x7f" or "\ud800" <= character <= "\udfff"
    return f"\\u{ord(character):04x}" if needs_code else character


def format_datetime(moment: datetime) -> str:
    """Return a SOQL datetime literal in UTC with milliseconds: `2012-07-12T17:49:01.000Z`.

    Raises ValueError for a naive datetime. Microseconds are cut off, so that a lower bound does not skip a record.
    """
    if moment.utcoffset() is None:
        raise ValueError("A datetime for the CRM needs a time zone.")
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def format_literal(value: Literal) -> str:
    """Return the value of a condition as a SOQL literal."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return format_datetime(value)
    if isinstance(value, date):
        return value.isoformat()
    return quote(value) if isinstance(value, str) else str(value)


def compare(field: str, operator: str, value: Literal) -> str:
    """Return one condition such as `Status_vod__c = 'Saved_vod'`; raises ConfigurationError for a bad name."""
    if operator not in _OPERATORS:
        raise ValueError(f"{operator!r} is no comparison of SOQL.")
    return f"{check_name(field)} {operator} {format_literal(value)}"


def is_in(field: str, values: Iterable[str], *, are_numbers: bool = False) -> str:
    """Return the condition that `field` is one of `values`; raises ValueError if there are none.

    Numbers are written without quotes; the values are then to be numbers, else ValueError.
    """
    literals = ", ".join(map(_write_number if are_numbers else quote, values))
    if not literals:
        raise ValueError(f"A list of values for {field} must not be empty.")
    return f"{check_name(field)} IN ({literals})"


def _write_number(value: str) -> str:
    if not is_spelled_number(value):
        raise ValueError(f"{value!r} is no number of SOQL.")
    return value


def build_select(
    object_name: str,
    fields: Sequence[str],
    *,
    where: str | Sequence[str] = (),
    order_by: str | Sequence[str] = (),
    limit: int | None = None,
) -> str:
    """Return a SELECT of `fields`, each named once (names ignore case), in the order given.

    `where` is one condition or several that must all hold, made by `compare` and `is_in`. `order_by` is
    `"SystemModstamp, Id"` or a sequence of such fields, each optionally followed by `ASC` or `DESC`.
    Raises ConfigurationError that quotes a bad name, and ValueError if there are no fields.
    """
    if not fields:
        raise ValueError(f"A query of {object_name} needs at least one field.")
    columns: dict[str, str] = {}
    for name in fields:
        columns.setdefault(name.lower(), check_name(name))
    parts = [f"SELECT {', '.join(columns.values())} FROM {check_name(object_name)}"]  # noqa: S608  every name is checked
    conditions = [where] if isinstance(where, str) else list(where)
    if any(conditions):
        parts.append("WHERE " + " AND ".join(filter(None, conditions)))
    ordering = order_by.split(",") if isinstance(order_by, str) else order_by
    if any(ordering):
        parts.append("ORDER BY " + ", ".join(map(_check_ordering, ordering)))
    if limit is not None:
        parts.append(f"LIMIT {limit:d}")
    return " ".join(parts)


def _check_ordering(term: str) -> str:
    name, _, direction = term.strip().partition(" ")
    check_name(name)
    if direction.upper() not in _DIRECTIONS:
        raise ValueError(f"{term!r} is no ordering: write the field, then ASC or DESC.")
    return f"{name} {direction.upper()}".rstrip()


def measure_in_url(soql: str) -> int:
    """Return the size in bytes of a piece of SOQL in the request target, percent-encoded."""
    return len(quote_plus(soql))


def chunk_values_by_url(values: Iterable[str], limit: int = 12_000) -> Iterator[list[str]]:
    """Split `values` into lists for `is_in`: at most 200 each, and at most `limit` bytes once in the URL.

    The default leaves over 4,000 of the 16,384 bytes of a request target for the rest of the query. A value longer than
    `limit` gets a list of its own. The order is kept.
    """
    chunk: list[str] = []
    size = 0
    for value in values:
        cost = measure_in_url(f"{quote(value)}, ")
        if chunk and (len(chunk) == MAX_VALUES_PER_LIST or size + cost > limit):
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += cost
    if chunk:
        yield chunk
