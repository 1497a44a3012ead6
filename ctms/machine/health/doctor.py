"""Runs checks, each within its own time, and says what is wrong and what to do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from time import perf_counter

import structlog
from django.db import connection

from ctms.core.errors import VaultError
from ctms.core.outages import find_outage_remedy

log = structlog.get_logger(__name__)


class State(StrEnum):
    """How a check ended. `skipped` means that it does not apply, or that something before it has to be mended first."""

    FINE = "fine"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check found; `remedy` is empty unless it is a problem."""

    state: State
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A question with its limit in seconds. One that `needs_database` is skipped while the database does not answer."""

    name: str
    ask: Callable[[], Finding]
    needs_database: bool = True
    limit: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """A check's finding, and how many seconds it took."""

    name: str
    finding: Finding
    seconds: float


def fine(message: str) -> Finding:
    """Return that nothing is wrong."""
    return Finding(state=State.FINE, message=message)


def problem(message: str, *, remedy: str) -> Finding:
    """Return what is wrong, and what to do."""
    return Finding(state=State.PROBLEM, message=message, remedy=remedy)


def skipped(message: str) -> Finding:
    """Return why nothing was looked at."""
    return Finding(state=State.SKIPPED, message=message)


_checks: dict[str, Check] = {}


def register_check(check: Check) -> None:
    """Add a check; of two of one name the later one counts. Call it from `AppConfig.ready()`."""
    _checks[check.name] = check


def list_checks() -> list[Check]:
    """Return all checks in the order in which they were registered; first that of the database, which others need."""
    return sorted(_checks.values(), key=lambda check: check.name != "database")


def diagnose() -> list[Diagnosis]:
    """Ask every check, one after the other. Nothing hangs: a check that takes longer than its limit is a problem."""
    found: list[Diagnosis] = []
    has_database = True
    for check in list_checks():
        started = perf_counter()
        if check.needs_database and not has_database:
            finding = skipped("Not looked at: the database does not answer.")
        else:
            finding = _ask_in_time(check)
        if check.name == "database" and finding.state is State.PROBLEM:
            has_database = False
        found.append(Diagnosis(name=check.name, finding=finding, seconds=perf_counter() - started))
    return found


def _ask_in_time(check: Check) -> Finding:
    answers: list[Finding] = []
    thread = threading.Thread(target=lambda: answers.append(_ask(check)), daemon=True)
    thread.start()
    thread.join(check.limit)
    if answers:
        return answers[0]
    return problem(
        f"No answer within {check.limit:g} seconds.",
        remedy="Something hangs: see that what this check asks runs, and can be reached from this machine.",
    )


def _ask(check: Check) -> Finding:
    try:
        return check.ask()
    except VaultError as error:
        return problem("It could not be looked at.", remedy=str(error))
    except Exception as error:  # noqa: BLE001  what nobody foresaw is told, too, and the next check is asked
        log.warning("check_failed", check=check.name, error=type(error).__name__)
        return problem(
            f"It could not be looked at ({type(error).__name__}).",
            remedy=find_outage_remedy(error) or "The log of this command has more; tell whoever maintains the Vault.",
        )
    finally:
        connection.close()
