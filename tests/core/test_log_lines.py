"""A line of the log is one line, and holds no row, no typed value, no query and no argument, whoever logs it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.utils import DatabaseError

from ctms.core.log_lines import clean_text, describe_error, format_exception
from ctms.core.log_setup import build_logging
from ctms.jobs.models import Lease

CANARY = "canary-4711"


class Lines(logging.Handler):
    """Keeps lines as they would be written."""

    def __init__(self) -> None:
        super().__init__()
        config = build_logging(renderer="json", level="DEBUG")["formatters"]["event"]
        options = {name: value for name, value in config.items() if name != "()"}
        self.setFormatter(config["()"](**options))
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(self.format(record))

    def read_last(self) -> dict[str, Any]:
        assert "\n" not in self.texts[-1]
        read: dict[str, Any] = json.loads(self.texts[-1])
        return read


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler = Lines()
    loggers = [logging.getLogger(name) for name in ("", "gunicorn.access", "gunicorn.error")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    yield handler
    for logger, level in zip(loggers, levels, strict=True):
        logger.removeHandler(handler)
        logger.setLevel(level)


def fail(error: BaseException) -> BaseException:
    """Return an error with a stack, raised while another was handled that has a value."""
    try:
        try:
            int(f"x{CANARY}")
        except ValueError:
            raise error  # noqa: B904  that it has a context is what is shown
    except BaseException as raised:  # noqa: BLE001  whatever it is
        return raised
    raise AssertionError("It does not fail.")


def test_an_exception_is_in_its_line_with_the_stacks_of_all_that_led_to_it(lines: Lines) -> None:
    error = fail(RuntimeError("The end"))
    structlog.get_logger("ctms.test").error("it_failed", exc_info=error)
    line = lines.read_last()
    assert (line["event"], line["level"], line["logger"]) == ("it_failed", "error", "ctms.test")
    assert line["exception"].count("Traceback") == 2
    assert "test_log_lines.py" in line["exception"]
    assert line["exception"].endswith("RuntimeError: The end")
    assert "ValueError: invalid literal for int() with base 10: '…'" in line["exception"]
    assert CANARY not in lines.texts[-1]


def test_a_library_that_logs_an_exception_says_no_more(lines: Lines) -> None:
    logging.getLogger("somebody.else").error("Failed %s", "here", exc_info=fail(KeyError(CANARY)))
    line = lines.read_last()
    assert line["event"] == "Failed here"
    assert line["exception"].endswith("KeyError: '…'")
    assert CANARY not in lines.texts[-1]


@pytest.mark.django_db
@pytest.mark.both_databases
def test_a_refused_row_is_told_by_its_constraint_alone(lines: Lines) -> None:
    Lease.objects.create(key=CANARY)
    with pytest.raises(IntegrityError) as caught, transaction.atomic():
        Lease.objects.create(key=CANARY)
    logging.getLogger("django.request").error("Internal Server Error: /", exc_info=caught.value)
    assert CANARY not in lines.texts[-1]
    told = describe_error(caught.value)
    assert "constraint" in told
    if connection.vendor == "postgresql":
        assert CANARY in str(caught.value)
        assert told.startswith("SQLSTATE 23505, constraint ")


@pytest.mark.django_db
@pytest.mark.postgresql
@pytest.mark.parametrize(
    "statement",
    [
        f"SELECT '{CANARY}'::integer",
        f"SELECT '{CANARY}'::uuid",
        f"INSERT INTO jobs_lease (key) VALUES ('{CANARY}')",  # noqa: S608  a statement that fails
        f"SELECT wrong FROM jobs_lease WHERE key = '{CANARY}'",  # noqa: S608  a statement that fails
        f"DO $$ BEGIN RAISE EXCEPTION 'no' USING DETAIL = '{CANARY}', HINT = '{CANARY}'; END $$",
    ],
)
def test_no_error_of_postgresql_tells_values(lines: Lines, statement: str) -> None:
    with pytest.raises(DatabaseError) as caught, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert CANARY in str(caught.value)
    structlog.get_logger("ctms.test").error("it_failed", error=str(caught.value), exc_info=caught.value)
    assert "SQLSTATE" in lines.read_last()["exception"]
    assert CANARY not in lines.read_last()["exception"]


@pytest.mark.parametrize(
    "text",
    [
        f"duplicate key\nDETAIL:  Key (email)=({CANARY}) already exists.\n",
        f"new row\nDETAIL:  Failing row contains (1, {CANARY}, null).",
        f"Key (name, study)=({CANARY}, 4) is not present",
        f"syntax\nLINE 1: SELECT * FROM x WHERE name = '{CANARY}'\n        ^",  # noqa: S608  no statement
        f'bad\nCONTEXT:  COPY person, line 1, column email: "{CANARY}"',
    ],
)
def test_what_a_text_quotes_of_a_row_is_removed(text: str) -> None:
    assert CANARY not in clean_text(text)


def test_a_text_without_rows_stays_as_it_is() -> None:
    assert clean_text("Where is the key (of the door)? LINED up") == "Where is the key (of the door)? LINED up"


def test_a_validation_is_told_by_fields_and_codes() -> None:
    error = ValidationError({"email": ValidationError(f"{CANARY} is no address", code="invalid_email")})
    assert describe_error(error) == "email (invalid_email)"
    assert CANARY not in format_exception(ValidationError(f"{CANARY} is taken", code="unique"))


def test_a_task_that_failed_is_told_without_arguments_and_without_its_error(lines: Lines) -> None:
    error = fail(IntegrityError(f"Key (email)=({CANARY}) already exists."))
    values = {"name": "jobs.execute_run", "id": "1-2", "description": "raised unexpected", "exc": repr(error)}
    values |= {"args": f"['{CANARY}']", "kwargs": "{}", "traceback": CANARY}
    logging.getLogger("celery.app.trace").error("Task %(name)s %(args)s: %(exc)s", values, exc_info=error)
    line = lines.read_last()
    assert (line["event"], line["task"], line["task_id"]) == ("task raised unexpected", "jobs.execute_run", "1-2")
    assert CANARY not in lines.texts[-1]


def test_gunicorn_tells_no_query(lines: Lines) -> None:
    values = {"m": "GET", "U": "/login/", "q": CANARY, "s": "200", "M": 12, "r": f"GET /login/?q={CANARY} HTTP/1.1"}
    logging.getLogger("gunicorn.access").info('"%(r)s" %(s)s', values)
    line = lines.read_last()
    assert (line["method"], line["path"], line["status"], line["ms"]) == ("GET", "/login/", "200", 12)
    logging.getLogger("gunicorn.error").error("Error handling request GET %s", f"/login/?q={CANARY}")
    assert lines.read_last()["event"] == "Error handling request GET /login/"
    assert CANARY not in "".join(lines.texts)
