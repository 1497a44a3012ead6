"""What a line of the log may say: no query, no row, no typed value; an exception with its stack and without values.

Processors of structlog for all lines of a process, those of gunicorn, Celery, Django and other libraries included.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any

from django.core.exceptions import ValidationError
from django.db import Error as DjangoDatabaseError

EventDict = MutableMapping[str, Any]

# What PostgreSQL adds to the sentence of an error: rows, keys, pieces of statements.
_ROW_CONTENTS = re.compile(r"\s*\b(?:DETAIL|CONTEXT|HINT|WHERE|QUERY|LINE \d+):.*", re.DOTALL)
_QUOTED = re.compile("([\"'\u2018\u201c`]).*([\"'\u2019\u201d`])", re.DOTALL)
_KEY_OR_ROW = re.compile(r"(Key \(.*?\)=|Failing row contains )\(.*\)", re.DOTALL)
_QUERY = re.compile(r"\?\S*")
_MOST_CAUSES = 10


def drop_query_string(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Remove the query string from a logged request: it may hold what people search for."""
    if isinstance(event.get("request"), str):
        event["request"] = event["request"].partition("?")[0]
    return event


def name_library_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Say what gunicorn and Celery tell with fields instead of a text that holds a query, arguments or an error."""
    arguments = event.pop("positional_args", None)
    if event.get("logger") == "gunicorn.error":  # it names the address of a request that could not be answered
        event["event"] = _QUERY.sub("", str(event.get("event")))
    values = arguments[0] if isinstance(arguments, tuple) and len(arguments) == 1 else arguments
    if not isinstance(values, Mapping):
        return event
    if event.get("logger") == "gunicorn.access":
        milliseconds = values.get("M")
        event.update(event="request_answered", method=values.get("m"), path=values.get("U"), status=values.get("s"))
        event["ms"] = milliseconds if isinstance(milliseconds, int) else None
    elif event.get("logger") == "celery.app.trace":
        told = values.get("description") or ("failed" if event.get("exc_info") else "ended")
        event.update(event=f"task {told}", task=values.get("name"), task_id=values.get("id"))
        if "runtime" in values:
            event["ms"] = round(float(values["runtime"]) * 1000)
    return event


def hide_row_contents(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Remove what PostgreSQL says of rows and keys from texts, whoever put it there."""
    for name, value in event.items():
        if isinstance(value, str) and name != "exception":
            event[name] = clean_text(value)
    return event


def clean_text(text: str) -> str:
    """Return a text without the parts of a database's error that hold values."""
    return _KEY_OR_ROW.sub(r"\1(…)", _ROW_CONTENTS.sub("", text)) if any(mark in text for mark in _MARKS) else text


_MARKS = ("DETAIL:", "CONTEXT:", "HINT:", "WHERE:", "QUERY:", "LINE ", "Key (", "Failing row")


class StackText(str):
    """The text of an exception in a line, with the exception itself for `ctms/core/error_reports.py`."""

    __slots__ = ("error",)
    error: BaseException


def format_exception(exc_info: Any) -> str:
    """Return the stacks of an exception and of what caused it, with `describe_error` of each; no local variables."""
    error = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    if not isinstance(error, BaseException):
        return ""
    parts = []
    for each, link in _walk(error):
        stack = "".join(traceback.format_tb(each.__traceback__))
        parts.append(f"{link}Traceback (most recent call last):\n{stack}{type(each).__name__}: {describe_error(each)}")
    text = StackText("\n\n".join(parts))
    text.error = error
    return text


def list_chain(error: BaseException) -> list[BaseException]:
    """Return an error and those that led to it, the one that began it first."""
    return [each for each, _ in _walk(error)]


def describe_error(error: BaseException) -> str:
    """Return what an error says without values of rows or of what was typed.

    Of the database it is the code with constraint, table and column; of a validation the fields and codes.
    """
    if isinstance(error, DjangoDatabaseError) or type(error).__module__.partition(".")[0] in ("psycopg", "sqlite3"):
        return _describe_database_error(error)
    if isinstance(error, ValidationError):
        fields = getattr(error, "error_dict", {"": error.error_list if hasattr(error, "error_list") else []})
        return ", ".join(f"{name or 'invalid'} ({_list_codes(errors)})" for name, errors in fields.items())
    if isinstance(error, ValueError | TypeError | KeyError | LookupError | ArithmeticError):
        return _QUOTED.sub(r"\1…\2", clean_text(str(error)))
    return clean_text(str(error))


def _walk(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Yield the error that began it first, each with the words that lead to it from the one before."""
    chain: list[tuple[BaseException, str]] = []
    each: BaseException | None = error
    while each is not None and len(chain) < _MOST_CAUSES:
        following: BaseException | None = None
        words = ""
        if each.__cause__ is not None:
            following, words = each.__cause__, "It caused the following error.\n"
        elif each.__context__ is not None and not each.__suppress_context__:
            following, words = each.__context__, "Another error came up while it was handled.\n"
        chain.append((each, words))
        each = following
    yield from reversed(chain)


def _describe_database_error(error: BaseException) -> str:
    source = error if getattr(error, "diag", None) is not None else error.__cause__
    diagnosis = getattr(source, "diag", None)
    code = getattr(source, "sqlstate", None)
    names = [
        f"{word} {name}"
        for word, attribute in (("constraint", "constraint_name"), ("table", "table_name"), ("column", "column_name"))
        if (name := getattr(diagnosis, attribute, None))
    ]
    if code:
        return ", ".join([f"SQLSTATE {code}", *names])
    # SQLite names columns and no values; a connection that fails has neither code nor row.
    return _QUOTED.sub(r"\1…\2", clean_text(str(error)))


def _list_codes(errors: Any) -> str:
    codes = [str(getattr(each, "code", None) or "invalid") for each in errors]
    return ", ".join(dict.fromkeys(codes)) or "invalid"
