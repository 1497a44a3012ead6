"""How every process logs: one event a line, of the Vault and of libraries alike. It reads no settings."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import structlog

from ctms.core.log_lines import drop_query_string, format_exception, hide_row_contents, name_library_event

_REQUEST_LOG_BYTES: Final = 10_000_000

# For lines of the Vault and for those of libraries alike.
_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    drop_query_string,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
]
# Last, when texts and exceptions are put together.
_CLEANED: list[Any] = [structlog.processors.ExceptionRenderer(format_exception), hide_row_contents]


def configure_lines() -> None:
    """Let loggers of structlog hand their events to those of Python, whose handlers write them."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_CLEANED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def build_logging(
    *, renderer: str, level: str, request_log: Path | None = None, reports: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the setting `LOGGING`; `renderer` is `console` for people or `json` for machines.

    With `reports`, the arguments of `ErrorReportHandler`, errors are reported as well.

    With `request_log` the lines of requests go to that file instead, and of them only warnings and errors to the
    stream. One process alone may serve requests then: the file is exchanged for a new one when it is full.
    It is that of every process: gunicorn and Celery are told to use it, too (gunicorn.conf.py, ctms/celery.py).
    """
    processors: dict[str, Any] = {
        "console": structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0),
        "json": structlog.processors.JSONRenderer(default=str),
    }
    handlers = ["stream", "reports"] if reports else ["stream"]
    own = {"handlers": handlers, "propagate": False}
    logging: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processor": processors[renderer],
                "foreign_pre_chain": [*_SHARED, name_library_event, *_CLEANED],
                "pass_foreign_args": True,
            }
        },
        "handlers": {"stream": {"class": "ctms.core.log_hooks.LogHandler", "formatter": "event"}},
        "root": {"handlers": handlers, "level": level},
        "loggers": {
            # Its default handlers would mail and print beside these.
            "django": {"handlers": [], "level": level, "propagate": True},
            "django.server": {**own, "level": "WARNING"},
            # Statements with their parameters, which are values of rows.
            "django.db.backends": {"level": "INFO"},
            # Each request has a line already, with its id and user; this one would be a second, and name probes.
            "gunicorn.access": {**own, "level": "WARNING"},
            "gunicorn.error": {**own, "level": level},
            # urllib3 logs request lines, which may contain identifiers of persons.
            "urllib3": {"level": "WARNING"},
        },
    }
    if reports:
        logging["handlers"]["reports"] = {"class": "ctms.core.error_reports.ErrorReportHandler", **reports}
    return logging if request_log is None else _put_requests_apart(logging, path=request_log, level=level)


def _put_requests_apart(logging: dict[str, Any], *, path: Path, level: str) -> dict[str, Any]:
    """Let the lines of requests go to a file, and their warnings and errors to the stream as well."""
    stream = logging["handlers"]["stream"]
    logging["handlers"]["requests"] = {
        "class": "logging.handlers.RotatingFileHandler",
        "formatter": "event",
        "filename": str(path),
        "maxBytes": _REQUEST_LOG_BYTES,
        "backupCount": 2,
        "encoding": "utf-8",
        "delay": True,
    }
    logging["handlers"]["trouble"] = {**stream, "level": "WARNING"}
    apart = {"handlers": ["requests", "trouble"], "level": level, "propagate": False}
    logging["loggers"]["ctms.core.request_log"] = apart
    return logging
