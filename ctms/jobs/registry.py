"""What jobs do: a higher floor registers its handler from `AppConfig.ready()`, and this one runs it unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctms.core.errors import VaultError
from ctms.jobs.choices import Frequency, RunState

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun


class UnknownJobError(VaultError):
    """A job definition of which no installed app has the code."""


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
    """A job: `list_units` says what there is to do now, `execute` does one unit.

    `execute` calls `context.lease.stop_if_cancelled()` between its batches. `abandon` is told, by key and with the
    reason, of a unit whose run was cancelled while nobody was at work on it. The job is delivered with `frequency` and
    `hour` (UTC). For the console, `about` says what it does, `idle` why it has no units, and `part_labels` names the
    parts of its results, in the order in which they are shown; objects have their own names.
    """

    key: str
    name: str
    list_units: Callable[[], list[JobUnit]]
    execute: Callable[[RunContext], RunOutcome]
    abandon: Callable[[str, str], None] | None = None
    frequency: Frequency = Frequency.HOURLY
    hour: int = 0
    about: str = ""
    idle: str = "nothing waits for it"
    part_labels: Mapping[str, str] = field(default_factory=dict)


_handlers: dict[str, JobHandler] = {}


def register_job(handler: JobHandler) -> None:
    """Make a job known."""
    _handlers[handler.key] = handler


def get_handler(key: str) -> JobHandler:
    """The handler of a job. Raises UnknownJobError if no installed app registers it."""
    try:
        return _handlers[key]
    except KeyError:
        raise UnknownJobError(
            f"No installed app does the job {key!r}. Make it Inactive, or install the app that it was delivered with."
        ) from None


def find_about(key: str) -> str:
    """What a job does; empty if no installed app does it."""
    handler = _handlers.get(key)
    return handler.about if handler else ""


def find_part_labels(key: str) -> Mapping[str, str]:
    """Names of the parts of a job's results; none if no installed app does it."""
    handler = _handlers.get(key)
    return handler.part_labels if handler else {}


def list_handlers() -> list[JobHandler]:
    """All registered jobs."""
    return list(_handlers.values())
