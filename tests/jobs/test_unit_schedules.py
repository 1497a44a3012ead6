"""Units with a schedule of their own: dispatched by their own clocks, once, and judged by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from ctms.core.clock import get_database_now
from ctms.jobs import dispatching, registry
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.dispatching import claim_due_slots
from ctms.jobs.models import JobDefinition, JobRun, UnitClock
from ctms.jobs.planned import list_planned_runs
from ctms.jobs.registry import JobUnit, get_handler
from ctms.jobs.schedules import compute_next_run
from ctms.jobs.selectors import list_overdue_jobs
from tests.admin_forms import log_in_admin
from tests.jobs.handlers import CountingJob

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]
DAILY = JobDefinition(frequency=Frequency.DAILY, hour=6, time_zone="Europe/Berlin")


@pytest.fixture(autouse=True)
def _noon() -> Iterator[None]:
    """Stop the time, far from where a schedule is due."""
    with travel("2026-03-02T12:20:00Z", tick=False):
        yield


@pytest.fixture
def definition(job: CountingJob) -> JobDefinition:
    """An Active hourly job with one unit that follows it and one that is due daily."""
    job.units = [JobUnit(key="follower", label="Follower"), JobUnit(key="own", label="Own", schedule=DAILY)]
    handler = replace(get_handler(job.key), has_unit_schedules=True)
    registry._handlers[job.key] = handler
    return job.activate()


def list_runs() -> list[str]:
    return list(JobRun.objects.order_by("pk").values_list("unit_key", flat=True))


def make_due(unit_key: str) -> None:
    UnitClock.objects.filter(unit_key=unit_key).update(next_run_at=get_database_now() - timedelta(minutes=1))


def test_a_unit_with_its_own_schedule_is_not_queued_with_the_job(definition: JobDefinition) -> None:
    claim_due_slots()
    assert UnitClock.objects.get().unit_key == "own"
    definition.clock.next_run_at = get_database_now() - timedelta(minutes=1)
    definition.clock.save()
    claim_due_slots()
    assert list_runs() == ["follower"]
    make_due("own")
    claim_due_slots()
    assert list_runs() == ["follower", "own"]


def test_two_beats_dispatch_a_unit_once(definition: JobDefinition) -> None:
    claim_due_slots()
    make_due("own")
    stale = UnitClock.objects.get()
    claim_due_slots()
    JobRun.objects.update(state=RunState.SUCCEEDED)
    units = [each for each in get_handler(definition.key).list_units() if each.schedule is not None]
    assert not dispatching._claim_of_unit(definition=definition, unit=units[0], clock=stale, now=get_database_now())
    assert list_runs() == ["own"]


def test_a_changed_schedule_starts_the_clock_anew(job: CountingJob, definition: JobDefinition) -> None:
    claim_due_slots()
    before = UnitClock.objects.get()
    make_due("own")
    weekly = JobDefinition(frequency=Frequency.WEEKLY, hour=6, weekday=2)
    job.units = [job.units[0], replace(job.units[1], schedule=weekly)]
    claim_due_slots()
    after = UnitClock.objects.get()
    assert list_runs() == []
    assert after.schedule != before.schedule
    assert after.next_run_at > get_database_now()


def test_a_unit_that_follows_the_job_again_has_no_clock(job: CountingJob, definition: JobDefinition) -> None:
    claim_due_slots()
    job.units = [replace(each, schedule=None) for each in job.units]
    claim_due_slots()
    assert not UnitClock.objects.exists()


def test_a_daily_unit_of_an_hourly_job_is_overdue_by_its_own_schedule(definition: JobDefinition) -> None:
    claim_due_slots()
    now = get_database_now()
    definition.clock.counted_from = now - timedelta(hours=5)
    definition.clock.save()
    UnitClock.objects.update(counted_from=now - timedelta(hours=5))
    for unit_key in ("follower", "own"):
        JobRun.objects.create(
            definition=definition,
            unit_key=unit_key,
            slot=now - timedelta(hours=3),
            queued_at=now,
            state=RunState.FAILED,
        )
    (overdue,) = list_overdue_jobs()
    assert "Follower" in overdue.sentence
    assert "Own" not in overdue.sentence


def test_what_is_planned_lists_units_with_schedules_of_their_own(definition: JobDefinition) -> None:
    claim_due_slots()
    planned = [each for each in list_planned_runs() if each.definition == definition]
    assert {each.unit_label for each in planned} == {"", "Own"}
    own = next(each for each in planned if each.unit_label)
    assert own.next_run_at == UnitClock.objects.get().next_run_at
    assert own.schedule == "Every day at 06:00 (Europe/Berlin)"
    assert planned == sorted(planned, key=lambda each: each.next_run_at)


def test_a_unit_whose_clock_has_not_started_is_planned_by_its_schedule(definition: JobDefinition) -> None:
    (own,) = [each for each in list_planned_runs() if each.unit_label]
    assert own.next_run_at == compute_next_run(schedule=DAILY, after=get_database_now())
    claim_due_slots()
    UnitClock.objects.update(schedule="another", next_run_at=get_database_now() - timedelta(days=1))
    (own,) = [each for each in list_planned_runs() if each.unit_label]
    assert own.next_run_at > get_database_now()


def test_the_page_names_the_unit_and_its_schedule(definition: JobDefinition, client: Client) -> None:
    log_in_admin(client)
    text = " ".join(client.get(reverse("admin:jobs_jobrun_scheduled")).content.decode().split())
    assert "Own, by a schedule of its own" in text
    assert "Every day at 06:00 (Europe/Berlin)" in text
