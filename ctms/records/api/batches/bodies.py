"""Bodies of batches and their answers: what is sent for each row, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rest_framework.exceptions import ValidationError
from rest_framework.settings import api_settings

from ctms.records.api.errors import TooLargeError

MOST_ROWS = 500
CREATE, CHANGE, UPSERT, DELETE = "create", "change", "upsert", "delete"
ANY_VERSION = "*"
_LARGEST_VERSION = 2**31 - 1
_ROWS, _ALL_OR_NONE, _DRY_RUN = "rows", "all_or_none", "dry_run"
_OPERATION, _KEY, _VERSION, _VALUES = "operation", "key", "version", "values"
_MEMBERS = (_OPERATION, _KEY, _VERSION, _VALUES)
_UNKNOWN = "There is no such member. Leave it out."
_COMPONENTS = "#/components/schemas/"
RESULT = "BatchResult"  # among them
# What a row of each operation has to have, and what it has not.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    CREATE: (_VALUES,),
    CHANGE: (_KEY, _VALUES),
    UPSERT: (_KEY, _VALUES),
    DELETE: (_KEY,),
}
_UNFIT: Mapping[str, tuple[str, ...]] = {CREATE: (_KEY, _VERSION), CHANGE: (), UPSERT: (), DELETE: (_VALUES,)}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRequest:
    """What a row of a batch asks for. `version` is None where none was sent; `key` is empty for a creation."""

    operation: str
    key: Mapping[str, Any]
    values: Mapping[str, Any]
    version: int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """The rows of a batch, and whether one that is refused stops all, and whether nothing is to be saved at all."""

    rows: tuple[RowRequest, ...]
    all_or_none: bool
    dry_run: bool


def read_batch(data: Any) -> BatchRequest:
    """Read the body of a batch. What is wrong with values and keys is told row by row later.

    Raises ValidationError naming members, such as `rows[3].version`, and TooLargeError for too many rows.
    """
    if not isinstance(data, dict):
        raise ValidationError({api_settings.NON_FIELD_ERRORS_KEY: "Send a JSON object with rows."})
    errors = {name: _UNKNOWN for name in data if name not in (_ROWS, *_SWITCHES)}
    for name in _SWITCHES:
        if not isinstance(data.get(name, False), bool):
            errors[name] = "Send true or false, without quotes."
    rows: Any = data.get(_ROWS)
    if not isinstance(rows, list) or not rows:
        errors[_ROWS] = f"Send a list of 1 to {MOST_ROWS} rows."
    elif len(rows) > MOST_ROWS:
        raise TooLargeError(f"A batch has at most {MOST_ROWS} rows. Send the others in another one.")
    else:
        for number, row in enumerate(rows):
            errors |= {f"{_ROWS}[{number}]{name}": text for name, text in _judge_row(row).items()}
    if errors:
        raise ValidationError(errors)
    return BatchRequest(
        rows=tuple(_read_row(row) for row in rows),
        all_or_none=data.get(_ALL_OR_NONE, False),
        dry_run=data.get(_DRY_RUN, False),
    )


_SWITCHES: Mapping[str, str] = {
    _ALL_OR_NONE: "Whether nothing is saved if one row is refused; else the others are.",
    _DRY_RUN: "Whether nothing is saved at all: the answer says what would be.",
}


def _read_row(row: Mapping[str, Any]) -> RowRequest:
    return RowRequest(
        operation=row[_OPERATION], key=row.get(_KEY, {}), values=row.get(_VALUES, {}), version=row.get(_VERSION)
    )


def _judge_row(row: Any) -> dict[str, str]:
    """Return what is wrong with the members of a row."""
    if not isinstance(row, dict):
        return {"": "Send a JSON object."}
    operation = row.get(_OPERATION)
    if not isinstance(operation, str) or operation not in _NEEDED:
        return {f".{_OPERATION}": f"Send one of {', '.join(_NEEDED)}."}
    errors = {f".{name}": _UNKNOWN for name in row if name not in _MEMBERS}
    errors |= {f".{name}": f"A row that is to {operation} needs it." for name in _NEEDED[operation] if name not in row}
    errors |= {f".{name}": f"A row that is to {operation} has none." for name in _UNFIT[operation] if name in row}
    for name, judge in _JUDGES.items():
        if name in row and f".{name}" not in errors and (text := judge(row[name])):
            errors[f".{name}"] = text
    return errors


def _judge_object(value: Any) -> str:
    return "" if isinstance(value, dict) else "Send a JSON object."


def _judge_version(value: Any) -> str:
    is_number = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _LARGEST_VERSION
    return "" if is_number or value == ANY_VERSION else 'Send the version of the record, a number, or "*".'


_JUDGES: Mapping[str, Callable[[Any], str]] = {_KEY: _judge_object, _VALUES: _judge_object, _VERSION: _judge_version}


def describe_rows() -> dict[str, dict[str, Any]]:
    """Return the JSON schemas of the rows of a batch, by the names that they have in the OpenAPI document."""
    return {f"Batch{operation.capitalize()}": _describe_row(operation) for operation in _NEEDED}


def describe_body() -> dict[str, Any]:
    """Return the JSON schema of a batch, which refers to those of its rows."""
    return {
        "type": "object",
        "properties": {
            _ROWS: {
                "type": "array",
                "minItems": 1,
                "maxItems": MOST_ROWS,
                "items": {"oneOf": [{"$ref": f"{_COMPONENTS}{name}"} for name in describe_rows()]},
            },
            # Without `default`: generators of clients take what has one for always sent.
            **{name: {"type": "boolean", "description": text} for name, text in _SWITCHES.items()},
        },
        "required": [_ROWS],
        "additionalProperties": False,
    }


def _describe_row(operation: str) -> dict[str, Any]:
    described: dict[str, Any] = {
        _OPERATION: {"type": "string", "enum": [operation]},
        _KEY: {
            "type": "object",
            "additionalProperties": True,
            "description": "Which record it is, such as its uid__sys or external_id__v.",
        },
        _VERSION: {
            "description": "That was read; * for whatever the record has.",
            "oneOf": [
                {"type": "integer", "minimum": 1, "maximum": _LARGEST_VERSION},
                {"type": "string", "enum": [ANY_VERSION]},
            ],
        },
        _VALUES: {"type": "object", "additionalProperties": True, "description": "As in the body of one record."},
    }
    return {
        "type": "object",
        "properties": {name: each for name, each in described.items() if name not in _UNFIT[operation]},
        "required": [_OPERATION, *_NEEDED[operation]],
        "additionalProperties": False,
    }


def describe_result() -> dict[str, Any]:
    """Return the JSON schema of what became of a row, the component BatchResult."""
    result = {
        "row": {"type": "integer", "minimum": 0, "description": "Its place in the batch, from 0."},
        "outcome": {
            "type": "string",
            "enum": ["created", "changed", "unchanged", "deleted", "refused", "not_written"],
            "description": "`not_written`: nothing is wrong with it, but all rows or none are saved.",
        },
        "status": {
            "type": "integer",
            "description": "What the request for this record alone would be answered with.",
            "examples": [201],
        },
        "uid__sys": {"type": ["string", "null"], "format": "uuid"},
        "version": {"type": ["integer", "null"]},
        "problem": {"oneOf": [{"$ref": f"{_COMPONENTS}ApiProblem"}, {"type": "null"}], "examples": [None]},
    }
    return {"type": "object", "properties": result, "required": sorted(result)}


def describe_answer() -> dict[str, Any]:
    """Return the JSON schema of the answer to a batch, which refers to that of its results."""
    return {
        "type": "object",
        "properties": {
            "is_saved": {"type": "boolean", "description": "Whether what the results tell was saved."},
            "counts": {
                "type": "object",
                "additionalProperties": {"type": "integer"},
                "description": "Rows by outcome.",
                "examples": [{"created": 1}],
            },
            "results": {"type": "array", "items": {"$ref": f"{_COMPONENTS}{RESULT}"}},
        },
        "required": ["is_saved", "counts", "results"],
    }
