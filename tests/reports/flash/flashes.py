"""What the tests of flash reports make and do: readers, schedules, and ticks of the job at a time."""

from __future__ import annotations

import datetime as dt
from typing import Any

import time_machine

from ctms.accounts.models import User
from ctms.jobs.models import JobClock, JobRun
from ctms.jobs.services import dispatch_due, execute_run
from ctms.reports.flash.services import save_schedule
from ctms.reports.flash.units import FLASH_JOB_KEY
from ctms.reports.models import FlashReport, Report
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory

READER = ("report__sys:read", "crm_activity__v:read", "study__v:read")
KEEPER = (*READER, "report__sys:edit", "report_type__sys:edit")
MONDAY = dt.datetime(2026, 6, 1, 5, tzinfo=dt.UTC)
DUE = MONDAY.replace(hour=6)
DAY, MINUTE = dt.timedelta(days=1), dt.timedelta(minutes=1)


def create_reader(name: str, *studies: Any, permissions: tuple[str, ...] = READER, **values: Any) -> User:
    """Return a user with an e-mail address, who sees these studies."""
    values.setdefault("security_profile", SecurityProfileFactory.create(permissions=list(permissions)))
    user = UserFactory.create(last_name=name.title(), email=f"{name}@example.org", **values)
    for study in studies:
        StudyAssignmentFactory.create(user=user, study=study)
    return user


def schedule(report: Report, *, at: dt.datetime = MONDAY, **values: Any) -> FlashReport:
    """Return a schedule that was set then: daily at 06:00 UTC, only with records, unless the values say otherwise."""
    flash = FlashReport.objects.filter(report=report).first() or FlashReport(report=report)
    for name, value in values.items():
        setattr(flash, name, value)
    with time_machine.travel(at, tick=False):
        save_schedule(flash=flash, actor=build_admin_actor())
    return flash


def tick(at: dt.datetime) -> list[JobRun]:
    """Let the scheduler and a worker do what is due at a time; return the runs."""
    with time_machine.travel(at, tick=False):
        JobClock.objects.filter(definition__key=FLASH_JOB_KEY).update(next_run_at=at)
        dispatch_due()
        return work()


def work() -> list[JobRun]:
    """Let a worker execute the runs that wait."""
    queued = JobRun.objects.filter(definition__key=FLASH_JOB_KEY, state="queued").order_by("pk")
    return [run for each in queued.values_list("pk", flat=True) if (run := execute_run(each)) is not None]
