"""A report of an error says where it came up; what it was about stays in the log. A server over HTTP receives it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from ctms.core.error_reports import ErrorReportHandler
from ctms.core.log_setup import build_logging
from ctms.settings.servers import parse_sentry_dsn
from tests.imports import ROOT
from tests.settings.test_production import COMPLETE, run_python

CANARY = "canary-4711"
KEY = "0123456789abcdef0123456789abcdef"


class Sentry:
    """Receives envelopes, and answers `status`."""

    def __init__(self) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.received: list[tuple[str, str, bytes]] = []
        sentry = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                sentry.received.append((self.path, self.headers["X-Sentry-Auth"], body))
                self.send_response(sentry.status)
                for name, value in sentry.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                """Print nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.dsn = f"http://{KEY}@127.0.0.1:{self.server.server_port}/prefix/42"
        self.thread = threading.Thread(target=self.server.serve_forever)

    def read_events(self) -> list[dict[str, Any]]:
        return [json.loads(body.splitlines()[2]) for _, _, body in self.received]


@pytest.fixture
def sentry() -> Iterator[Sentry]:
    made = Sentry()
    made.thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    made.thread.join()


@pytest.fixture
def reports(sentry: Sentry) -> Iterator[ErrorReportHandler]:
    handler = ErrorReportHandler(**parse_sentry_dsn(sentry.dsn), environment="https://vault.example.org")
    root = logging.getLogger()
    root.addHandler(handler)
    yield handler
    root.removeHandler(handler)
    handler.close()


def wait_for(handler: ErrorReportHandler) -> None:
    """Wait until all was handed in, however long it takes."""
    handler._waiting.join()


def fail() -> None:
    name = CANARY  # a local variable
    try:
        int(name)
    except ValueError as error:
        raise RuntimeError(f"The person {name} has no site") from error


def test_an_error_is_reported_with_its_stack_and_without_its_values(
    sentry: Sentry, reports: ErrorReportHandler
) -> None:
    with structlog.contextvars.bound_contextvars(request_id="0a1b2c3d", ip="192.0.2.7"):
        try:
            fail()
        except RuntimeError:
            structlog.get_logger("ctms.tests").exception("job_run_failed", run=7, unit=CANARY, message=CANARY)
    wait_for(reports)

    ((path, authorization, body),) = sentry.received
    assert path == "/prefix/api/42/envelope/"
    assert f"sentry_key={KEY}" in authorization
    head, item, event, rest = body.split(b"\n")
    assert json.loads(item)["length"] == len(event)
    assert (json.loads(head)["event_id"], rest) == (json.loads(event)["event_id"], b"")
    assert CANARY.encode() not in body
    assert b"192.0.2.7" not in body

    told = json.loads(event)
    assert told["logentry"] == {"message": "job_run_failed"}
    assert told["tags"] == {"request_id": "0a1b2c3d", "run": "7"}
    assert told["environment"] == "https://vault.example.org"
    assert [(each["type"], each["value"]) for each in told["exception"]["values"]] == [
        ("ValueError", ""),
        ("RuntimeError", ""),
    ]
    frame = told["exception"]["values"][1]["stacktrace"]["frames"][-1]
    assert (frame["function"], frame["in_app"]) == ("fail", True)
    assert frame["filename"].endswith("tests/core/test_error_reports.py")


@pytest.mark.parametrize(
    "error", [IntegrityError(f"DETAIL: Key (email)=({CANARY})"), ValidationError(CANARY, code="no")]
)
def test_codes_are_told_and_no_values(error: Exception, sentry: Sentry, reports: ErrorReportHandler) -> None:
    try:
        raise error
    except type(error):
        logging.getLogger("celery.app.trace").exception("Task %s failed", CANARY)
    wait_for(reports)
    (event,) = sentry.read_events()
    assert event["logentry"] == {"message": "Task %s failed"}
    assert CANARY not in str(event)
    assert event["exception"]["values"][0]["type"] == type(error).__name__


def test_texts_that_a_library_put_together_and_answers_on_purpose_are_not_sent(
    sentry: Sentry, reports: ErrorReportHandler
) -> None:
    logging.getLogger("django.request").error("%s: %s", "Service Unavailable", f"/records/{CANARY}/")
    logging.getLogger("ctms.tests").warning(CANARY)
    logging.getLogger("library").error("Cannot read " + CANARY)  # noqa: G003  as libraries do
    wait_for(reports)
    (event,) = sentry.read_events()
    assert event["logentry"] == {
        "message": "library.test_texts_that_a_library_put_together_and_answers_on_purpose_are_not_sent"
    }


def test_a_server_that_refuses_is_left_alone_for_as_long_as_it_says(
    sentry: Sentry, reports: ErrorReportHandler, caplog: pytest.LogCaptureFixture
) -> None:
    sentry.status, sentry.headers = 429, {"Retry-After": "3600"}
    for _ in range(3):
        logging.getLogger("ctms.tests").error("again")
    wait_for(reports)
    assert len(sentry.received) == 1
    (told,) = [record.msg for record in caplog.records if "errors_not_reported" in str(record.msg)]
    assert isinstance(told, dict)
    assert (told["why"], told["seconds"]) == ("429", 3600)


def test_a_server_that_is_gone_costs_nobody_anything(caplog: pytest.LogCaptureFixture) -> None:
    handler = ErrorReportHandler(address="http://127.0.0.1:1/api/42/envelope/", key=KEY, environment="")
    logger = logging.getLogger("ctms.tests")
    logger.addHandler(handler)
    try:
        for _ in range(1000):
            logger.error("again")
        wait_for(handler)
    finally:
        logger.removeHandler(handler)
    assert "'why': 'ConnectionError'" in caplog.text


FORK = """
import logging, os, sys
from ctms.core.error_reports import ErrorReportHandler
from ctms.settings.servers import parse_sentry_dsn
handler = ErrorReportHandler(**parse_sentry_dsn(sys.argv[1]), environment="")
logging.getLogger("ctms").addHandler(handler)
logging.getLogger("ctms").error("parent")
handler._waiting.join()
if child := os.fork():
    os.waitpid(child, 0)
else:
    logging.getLogger("ctms").error("child")
    handler._waiting.join()
    os._exit(0)
"""


@pytest.mark.system
def test_a_process_that_was_forked_has_a_thread_of_its_own(sentry: Sentry) -> None:
    """As the workers of gunicorn and Celery are."""
    subprocess.run([sys.executable, "-c", FORK, sentry.dsn], cwd=ROOT, check=True)
    assert [event["logentry"]["message"] for event in sentry.read_events()] == ["parent", "child"]


@pytest.mark.system
def test_what_ends_a_process_is_reported(sentry: Sentry) -> None:
    """With the settings of production: Python's hooks, the configuration of logging, the end of the process."""
    patience = "from ctms.core import error_reports; error_reports._FLUSH_SECONDS = 60"  # this machine may be busy
    code = f"import django; django.setup(); {patience}; int({CANARY!r})"
    done = run_python(code, environment=COMPLETE | {"SENTRY_DSN": sentry.dsn})
    assert done.returncode == 1
    (event,) = sentry.read_events()
    assert event["logentry"] == {"message": "uncaught_exception"}
    assert event["environment"] == "https://vault.example.org"
    assert [each["type"] for each in event["exception"]["values"]] == ["ValueError"]
    assert CANARY not in str(event)


def test_every_logger_with_handlers_of_its_own_reports() -> None:
    config = build_logging(renderer="json", level="INFO", reports={"address": "http://x/", "key": KEY})
    names = [config["root"], config["loggers"]["gunicorn.error"]]
    assert [each["handlers"] for each in names] == [["stream", "reports"]] * 2
    assert "reports" not in build_logging(renderer="json", level="INFO")["handlers"]
