"""A job that only notes what it was asked to do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from unittest.mock import patch

from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import registry
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobClock, JobDefinition, Lease
from ctms.jobs.registry import JobHandler, JobUnit, RunContext, RunOutcome
from ctms.jobs.services import deliver_job_definitions, reset_clock, set_job_status
from tests.factories.base import build_admin_actor


class CountingJob:
    """`executed` grows by the unit's key with every run; `act`, if set, does the work."""

    def __init__(self, *, key: str, units: Sequence[str]) -> None:
        self.key = key
        self.units = [JobUnit(key=unit, label=unit.title()) for unit in units]
        self.executed: list[str] = []
        self.act: Callable[[RunContext], RunOutcome] | None = None

    @contextmanager
    def registered(self) -> Iterator[None]:
        handler = JobHandler(
            key=self.key, name=self.key.replace("_", " ").title(), list_units=lambda: self.units, execute=self._execute
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
        """An Active definition, due at its next regular time or at `due`."""
        definition = self.deliver()
        set_job_status(key=self.key, status=RecordStatus.ACTIVE, actor=build_admin_actor())
        if due is not None:
            set_due(definition, due)
        definition.refresh_from_db()
        return definition


def set_due(definition: JobDefinition, at: datetime) -> None:
    reset_clock(definition)
    JobClock.objects.filter(definition=definition).update(next_run_at=at)


def let_lease_run_out(run_id: int) -> None:
    """As if the owner had not been heard of for long."""
    Lease.objects.filter(run=run_id).update(expires_at=get_now() - timedelta(seconds=1))
