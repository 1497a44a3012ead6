"""Logs: one event a line; of requests and responses, only what is named explicitly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ctms.core import log_setup
from ctms.settings.environment import env

LOG_LEVEL = env.choice("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"), default="INFO")

log_setup.configure_lines()

REQUEST_LOG: Path | None = None  # the file of a Vault on one machine; elsewhere requests are logged with the rest


def build_logging(
    *, renderer: str, level: str = LOG_LEVEL, request_log: Path | None = None, reports: dict[str, str] | None = None
) -> dict[str, Any]:
    """Return the setting `LOGGING`; `renderer` is `console` for people or `json` for machines."""
    return log_setup.build_logging(renderer=renderer, level=level, request_log=request_log, reports=reports)


SENTRY: dict[str, str] = {}  # where errors are reported, in production: `address` and `key`
LOGGING = build_logging(renderer="console")
