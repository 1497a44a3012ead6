"""A job for tests that only records what it is called for, and helpers for its leases and definition."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from unittest.mock import patch

from django.conf import settings
from django.db.models import QuerySet

from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import registry
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.models import JobClock, JobDefinition, Lease
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome
from ctms.jobs.services import deliver_job_definitions, reset_clock, set_job_status
from tests.factories.base import build_admin_actor


class CountingJob:
    """Appends the unit's key to `executed` with every run, and calls `act` if it is set."""

    def __init__(self, *, key: str, units: Sequence[str], lease_name: str = "") -> None:
        self.key = key
        self.lease_name = lease_name
        self.units = [JobUnit(key=unit, label=unit.title()) for unit in units]
        self.executed: list[str] = []
        self.act: Callable[[RunContext], RunOutcome] | None = None

    @contextmanager
    def registered(self) -> Iterator[None]:
        handler = JobHandler(
            key=self.key,
            name=self.key.replace("_", " ").title(),
            list_units=lambda: self.units,
            execute=self._execute,
            lease_name=self.lease_name,
        )
        with patch.dict(registry._handlers, {self.key: handler}):
            yield

    def _execute(self, context: RunContext) -> RunOutcome:
        self.executed.append(context.run.unit_key)
        if self.act is not None:
            return self.act(context)
        return RunOutcome(state=RunState.SUCCEEDED, message="Done.", result={"counted": 1}, log="counted")

    def deliver(self) -> JobDefinition:
        deliver_job_definitions(actor=build_admin_actor())
        return JobDefinition.objects.get(key=self.key)

    def activate(self, *, due: datetime | None = None) -> JobDefinition:
        """Make a definition Active, due at the next time of its schedule or at `due`."""
        definition = self.deliver()
        set_job_status(key=self.key, status=RecordStatus.ACTIVE, actor=build_admin_actor())
        if due is not None:
            set_due(definition, due)
        definition.refresh_from_db()
        return definition


def keep_schedule_away(key: str) -> None:
    """Let the regular times of a job be days away, so that none comes while a test sets its due times itself."""
    definition = JobDefinition.objects.get(key=key)
    definition.frequency = Frequency.WEEKLY
    definition.weekday = (get_now().weekday() + 3) % 7
    save_record(record=definition, actor=build_admin_actor())
    reset_clock(definition)  # it has begun to wait for the next time of the schedule before


def keep_all_schedules_away() -> None:
    """Do that for every job: among the delivered ones are some that are Active and come every minute."""
    for key in JobDefinition.objects.values_list("key", flat=True):
        keep_schedule_away(key)


def set_due(definition: JobDefinition, at: datetime) -> None:
    reset_clock(definition)
    JobClock.objects.filter(definition=definition).update(next_run_at=at)


def let_lease_run_out(run_id: int) -> None:
    """Let a lease look as if it had been observed long enough without a renewal."""
    let_leases_run_out(Lease.objects.filter(run=run_id))


def let_leases_run_out(leases: QuerySet[Lease] | None = None) -> None:
    """Let these leases, or those of all runs, look as if they had been observed long enough without a renewal."""
    held = Lease.objects.exclude(run=None) if leases is None else leases
    held.update(observed_at=get_now(), silent_seconds=settings.JOB_LEASE_SECONDS)
