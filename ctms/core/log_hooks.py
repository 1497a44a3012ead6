"""Sends into the log what Python would otherwise print: uncaught exceptions, also of threads, and warnings."""

from __future__ import annotations

import logging
import sys
import threading
from typing import Any


class LogHandler(logging.StreamHandler[Any]):
    """Writes to standard output; of a management command to standard error, where it is no part of its answer."""

    def __init__(self) -> None:
        super().__init__(sys.stderr if is_management_command() else sys.stdout)


def is_management_command() -> bool:
    """Whether this process is a command of `manage.py`, whose standard output somebody reads."""
    return sys.argv[0].rpartition("/")[2] in ("manage.py", "django-admin", "django-admin.py")


def log_what_is_printed() -> None:
    """Let uncaught exceptions and warnings be lines of the log. Ctrl-C and exits stay as they are."""
    logging.captureWarnings(capture=True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = _log_unraisable
    threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, trace)
        return
    logging.getLogger("ctms.uncaught").critical("uncaught_exception", exc_info=(kind, error, trace))


def _log_unraisable(told: Any) -> None:
    logging.getLogger("ctms.uncaught").error("exception_while_cleaning_up", exc_info=told.exc_value)


def _log_uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    if told.exc_value is not None and not isinstance(told.exc_value, SystemExit):
        logging.getLogger("ctms.uncaught").critical("uncaught_exception", exc_info=told.exc_value)
