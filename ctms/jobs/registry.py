"""The registry of job handlers. An app registers the handlers of its jobs from `AppConfig.ready()`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ctms.jobs.choices import Frequency, JobQueue, RunState
from ctms.jobs.errors import UnknownJobError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ctms.jobs.leases import LeaseHandle
    from ctms.jobs.models import JobRun
    from ctms.jobs.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class JobUnit:
    """A part of a job's work that has a run of its own. `key` identifies it, `label` is its name for people.

    A unit without `schedule` follows that of the job.
    """

    key: str
    label: str
    schedule: Schedule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What a handler gets: its run, and the lease that it must renew in every transaction that writes."""

    run: JobRun
    lease: LeaseHandle


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOutcome:
    """How a run ended: its state, a sentence, counts as `{part: counts}`, and log lines."""

    state: RunState
    message: str
    result: dict[str, Any]
    log: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobHandler:
    """A job: `list_units` returns the units that there are to do now, `execute` does one of them.

    `execute` calls `context.lease.stop_if_cancelled()` between its batches. `abandon` is called with the key of a unit
    and a message if the unit's run was cancelled while no worker executed it. Workers take its runs from `queue`.
    `frequency`, `hour` (UTC) and `cron` are the schedule at first; a job that `is_active` is delivered Active. For the
    console, `about` says what the job does, `idle` why it has no units, and `part_labels` names the parts of its
    results in the order in which they are shown; a part that is an object has the object's name.

    Jobs with the same `lease_name` (by default the job's key) do not work on the same unit at once: a run waits for
    that of another job. With `has_unit_schedules`, every tick asks for the units, since some may have a schedule of
    their own.

    A job without `has_lasting_units` does each unit once, such as an import: its old runs are of no use any more.
    `replaces` are the keys of jobs of earlier versions whose work it does: their runs and their status become its own.
    A job whose work `leaves` the Vault, or has it speak with others, does not run in a copy of the Vault.

    `after` is called with a run that has ended, when its lease is free again. If the process dies before, it is not
    called: what it does must be done by somebody else then, such as the next tick.
    """

    key: str
    name: str
    list_units: Callable[[], list[JobUnit]]
    execute: Callable[[RunContext], RunOutcome]
    abandon: Callable[[str, str], None] | None = None
    queue: JobQueue = JobQueue.VAULT
    frequency: Frequency = Frequency.HOURLY
    hour: int = 0
    cron: str = ""
    is_active: bool = False
    about: str = ""
    idle: str = "nothing waits for it"
    part_labels: Mapping[str, str] = field(default_factory=dict)
    lease_name: str = ""
    has_unit_schedules: bool = False
    has_lasting_units: bool = True
    replaces: tuple[str, ...] = ()
    leaves: bool = False
    after: Callable[[JobRun], None] | None = None


_handlers: dict[str, JobHandler] = {}


def register_job(handler: JobHandler) -> None:
    """Register a job under its key."""
    _handlers[handler.key] = handler


def get_handler(key: str) -> JobHandler:
    """Return the handler of a job. Raises UnknownJobError if no installed app has registered it."""
    try:
        return _handlers[key]
    except KeyError:
        raise UnknownJobError(
            f"No installed app does the job {key!r}. Make it Inactive, or install the app that it was delivered with."
        ) from None


def find_handler(key: str) -> JobHandler | None:
    """Return the handler of a job; None if no installed app has registered it."""
    return _handlers.get(key)


def find_about(key: str) -> str:
    """Return what a job does, in words; empty if no installed app has registered it."""
    handler = find_handler(key)
    return handler.about if handler else ""


def find_part_labels(key: str) -> Mapping[str, str]:
    """Return the names of the parts of a job's results; none if no installed app has registered it."""
    handler = _handlers.get(key)
    return handler.part_labels if handler else {}


def find_queue(key: str) -> JobQueue:
    """Return the queue of a job's runs; the common one if no installed app has registered it."""
    handler = _handlers.get(key)
    return handler.queue if handler else JobQueue.VAULT


def leaves_the_vault(key: str) -> bool:
    """Whether a job's work leaves the Vault; of one that no installed app has registered, nobody knows."""
    handler = find_handler(key)
    return handler is None or handler.leaves


def list_jobs_of_lease(key: str) -> list[str]:
    """Return the keys of the jobs that share the leases of a job, itself included; none if it is not registered."""
    handler = find_handler(key)
    if handler is None:
        return []
    name = handler.lease_name or handler.key
    return [each.key for each in _handlers.values() if (each.lease_name or each.key) == name]


def list_handlers() -> list[JobHandler]:
    """Return the handlers of all registered jobs."""
    return list(_handlers.values())
