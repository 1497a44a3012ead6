"""What jobs do. A higher floor registers its handler from `AppConfig.ready()`; this floor runs it without importing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.jobs.choices import RunState
    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUnit:
    """A part of a job's work that runs on its own: `key` tells it apart, `label` is read by people."""

    key: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a handler is given: its run, and the lease that it has to renew with every transaction it writes."""

    run: JobRun
    lease: LeaseHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: final state, one sentence, figures for the history, log lines."""

    state: RunState
    message: str
    result: dict[str, Any]
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandler:
    """A job: `list_units` says what there is to do now, `execute` does one unit."""

    key: str
    name: str
    list_units: Callable[[], list[JobUnit]]
    execute: Callable[[RunContext], RunOutcome]


_handlers: dict[str, JobHandler] = {}


def register_job(handler: JobHandler) -> None:
    """Make a job known."""
    _handlers[handler.key] = handler


def get_handler(key: str) -> JobHandler:
    """The handler of a job; KeyError if its app is not installed."""
    return _handlers[key]


def list_handlers() -> list[JobHandler]:
    """All registered jobs."""
    return list(_handlers.values())
