"""Reports of errors for Sentry, and whatever speaks its protocol: where an error came up, not what it was about.

A report is built from a line of the log at ERROR or above. It holds names and places in the code: types and stacks of
the errors, the event's name, ids by which the line is found in the log. No text of an error, no local variable, no
request, no user: these never leave (docs/decisions/0111-a-report-says-where-the-log-says-what.md).

https://develop.sentry.dev/sdk/data-model/envelopes/
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import queue
import threading
import time
import traceback
import uuid
from typing import Any, Final

import requests
import structlog
from django.core.exceptions import ValidationError
from django.db import Error as DatabaseError
from structlog.contextvars import get_contextvars

from ctms import __version__
from ctms.core.log_lines import StackText, describe_error, list_chain

log = structlog.get_logger(__name__)

_MOST_WAITING: Final = 100  # reports; more are dropped, for the first ones say what happens
_TIMEOUT: Final = (3.0, 5.0)  # seconds to connect, and to be answered
_PAUSE_SECONDS: Final = 60.0
_FLUSH_SECONDS: Final = 2.0
_LIMITED: Final = 429
_REFUSED_FROM: Final = 400
# Of what a line says beside its event, ids alone.
_TAGS: Final = ("request_id", "task", "task_id", "job", "run", "status_code")
_OWN: Final = ("activities", "connections", "crm_sync", "ctms", "exceptions_log")


class ErrorReportHandler(logging.Handler):
    """Sends a report of each line, from a thread of its own: whoever logs never waits, and never fails for it.

    `address` is that of envelopes, `key` the public key of the DSN. While the server does not answer, or refuses,
    reports are dropped, and a line of the log says so.
    """

    def __init__(self, *, address: str, key: str, environment: str) -> None:
        super().__init__(level=logging.ERROR)
        self._address, self._key, self._environment = address, key, environment
        self._process = 0
        self._waiting: queue.Queue[dict[str, Any]] = queue.Queue()
        self._paused_until = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Put the report of a line where the thread takes it. Never raises: what is logged is an error already."""
        try:
            report = build_report(record, environment=self._environment)
        except Exception as error:  # noqa: BLE001  whatever it is, the line itself was written
            log.warning("error_not_reported", why=type(error).__name__)
            return
        if report is None:
            return
        if self._process != os.getpid():  # the first one, or the first after a fork, which leaves threads behind
            self._process, self._waiting = os.getpid(), queue.Queue(maxsize=_MOST_WAITING)
            threading.Thread(target=self._send_all, args=[self._waiting], daemon=True).start()
        try:
            self._waiting.put_nowait(report)
        except queue.Full:
            return

    def flush(self) -> None:
        """Wait until what waits was sent, for two seconds at most: the process ends."""
        if self._process == os.getpid():
            waiting = self._waiting
            with waiting.all_tasks_done:
                waiting.all_tasks_done.wait_for(lambda: not waiting.unfinished_tasks, timeout=_FLUSH_SECONDS)

    def _send_all(self, waiting: queue.Queue[dict[str, Any]]) -> None:
        while True:
            report = waiting.get()
            if time.monotonic() >= self._paused_until:
                self._send(report)
            waiting.task_done()

    def _send(self, report: dict[str, Any]) -> None:
        headers = {
            "Content-Type": "application/x-sentry-envelope",
            "X-Sentry-Auth": f"Sentry sentry_version=7, sentry_client=ctms-vault/{__version__}, sentry_key={self._key}",
        }
        try:
            answer = requests.post(
                self._address, data=write_envelope(report), headers=headers, timeout=_TIMEOUT, allow_redirects=False
            )
        except requests.RequestException as error:
            self._pause(why=type(error).__name__)
            return
        if answer.status_code >= _REFUSED_FROM:
            given = answer.headers.get("Retry-After", "") if answer.status_code == _LIMITED else ""
            self._pause(why=str(answer.status_code), seconds=float(given) if given.isdecimal() else _PAUSE_SECONDS)

    def _pause(self, *, why: str, seconds: float = _PAUSE_SECONDS) -> None:
        """Drop reports for a while, and say so once."""
        self._paused_until = time.monotonic() + seconds
        log.warning("errors_not_reported", why=why, seconds=seconds, remedy="See that SENTRY_DSN can be reached.")


def build_report(record: logging.LogRecord, *, environment: str) -> dict[str, Any] | None:
    """Return the event of a line of the log, as Sentry reads it; None for a line that tells of no error."""
    fields: dict[str, Any] = record.msg if isinstance(record.msg, dict) else {}
    stack = fields.get("exception")
    error = stack.error if isinstance(stack, StackText) else (record.exc_info or (None, None))[1]
    if error is None and record.name == "django.request":
        return None  # an answer of 5xx that a page gave on purpose, as during maintenance
    known = {**get_contextvars(), **vars(record), **fields}
    report: dict[str, Any] = {
        "event_id": uuid.uuid4().hex,
        "timestamp": dt.datetime.fromtimestamp(record.created, tz=dt.UTC).isoformat(),
        "platform": "python",
        "level": "fatal" if record.levelno >= logging.CRITICAL else "error",
        "logger": record.name,
        "release": f"ctms-vault@{__version__}",
        "environment": environment,
        "logentry": {"message": _name_event(record, fields)},
        "tags": {name: str(known[name]) for name in _TAGS if known.get(name) is not None},
    }
    if error is not None:
        report["exception"] = {"values": [_describe(each) for each in list_chain(error)]}
    return report


def write_envelope(report: dict[str, Any]) -> bytes:
    """Return the body of a request that hands in one event."""
    event = json.dumps(report).encode()
    head = json.dumps({"event_id": report["event_id"]}).encode()
    item = json.dumps({"type": "event", "content_type": "application/json", "length": len(event)}).encode()
    return b"\n".join([head, item, event, b""])


def _name_event(record: logging.LogRecord, fields: dict[str, Any]) -> str:
    """Return a text of the code, without what was put into it."""
    if fields:
        return str(fields.get("event", record.name))
    if record.args or record.name.partition(".")[0] in _OWN:
        return str(record.msg)
    return f"{record.name}.{record.funcName}"


def _describe(error: BaseException) -> dict[str, Any]:
    is_coded = isinstance(error, DatabaseError | ValidationError)  # codes, and names of tables and fields
    return {
        "type": type(error).__name__,
        "module": type(error).__module__,
        "value": describe_error(error) if is_coded else "",
        "stacktrace": {"frames": [_describe_frame(each) for each in traceback.extract_tb(error.__traceback__)]},
    }


def _describe_frame(frame: traceback.FrameSummary) -> dict[str, Any]:
    _, is_library, path = frame.filename.rpartition("/site-packages/")
    return {
        "filename": path,
        "function": frame.name,
        "lineno": frame.lineno,
        "context_line": frame.line,
        "in_app": not is_library,
    }
