"""When connections are transferred: by the transfer job's schedule, or by one of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import transaction

from connections.models import Connection, ConnectionSchedule
from crm_sync.jobs import TRANSFER_JOB_KEY
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_database_now
from ctms.jobs.cron import CronError
from ctms.jobs.models import JobDefinition
from ctms.jobs.schedules import PlannedRun, describe_schedule, list_planned_runs

if TYPE_CHECKING:
    from ctms.audit.actors import Actor
    from ctms.jobs.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferPlan:
    """When a connection is transferred next. `planned` is empty, with the reason in `obstacle`, if it is not."""

    words: str
    is_own: bool
    planned: list[PlannedRun]
    obstacle: str = ""


def plan_transfers(connection: Connection, *, count: int = 3) -> TransferPlan:
    """Return the schedule that holds for a connection, in words, and its next due times. Runs two statements."""
    definition = JobDefinition.objects.get(key=TRANSFER_JOB_KEY)
    own = ConnectionSchedule.objects.filter(connection=connection, is_own=True).first()
    schedule: Schedule = own or definition
    words = describe_schedule(schedule)
    obstacle = ""
    if connection.status != RecordStatus.ACTIVE:
        obstacle = f"{connection.name} is Inactive."
    elif definition.status != RecordStatus.ACTIVE:
        obstacle = f"The job {definition.name} is Inactive: nothing runs by itself."
    elif getattr(connection, "paused_at", None) is not None:
        obstacle = f"{connection.name} is paused."
    try:
        planned = [] if obstacle else list_planned_runs(schedule=schedule, after=get_database_now(), count=count)
    except CronError as error:
        planned, obstacle = [], str(error)
    return TransferPlan(words=words, is_own=own is not None, planned=planned, obstacle=obstacle)


def save_schedule(*, schedule: ConnectionSchedule, actor: Actor, expected_version: int | None = None) -> bool:
    """Save the schedule of a connection; the next tick plans by it. Raises the errors of `save_record`."""
    with transaction.atomic():
        return save_record(record=schedule, actor=actor, expected_version=expected_version)
