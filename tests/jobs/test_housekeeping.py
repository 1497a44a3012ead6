"""Housekeeping deletes what has ended and is old, batch by batch, and never what is still needed."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ctms.accounts.models import FailedLogIn, UserSession
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.configuration.steps import StepStatus, apply_step, get_step
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from ctms.jobs import retention
from ctms.jobs.choices import Frequency, RunState
from ctms.jobs.housekeeping import HOUSEKEEPING_JOB_KEY, REPLACED_JOB_KEYS
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.registry import JobUnit
from ctms.jobs.retention import OldRows, RetentionRule
from ctms.jobs.services import create_run, deliver_job_definitions, execute_run
from ctms.settings.retention import RETENTION_SETTINGS, parse_days
from exceptions_log.models import ExceptionMessage
from tests.admin_rows import create_exception_message, create_job_run
from tests.factories.base import build_admin_actor
from tests.housekeeping import keep_house

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def _forty_days(settings: Any) -> None:
    settings.JOB_RUN_RETENTION_DAYS = 40


def add_run(run: JobRun, *, days: float, state: RunState = RunState.SUCCEEDED) -> JobRun:
    """Add a run of the same unit that ended so many days ago."""
    at = get_now() - timedelta(days=days)
    return JobRun.objects.create(
        definition=run.definition,
        unit_key=run.unit_key,
        slot=at,
        queued_at=at,
        started_at=at,
        finished_at=at,
        state=state,
    )


def create_old_run(days: float, **values: Any) -> JobRun:
    """A finished run of a job of its own, which ended so many days ago."""
    run = create_job_run(**values)
    JobRun.objects.filter(pk=run.pk).update(finished_at=get_now() - timedelta(days=days))
    return run


def list_left(*runs: JobRun) -> list[JobRun]:
    """Return those of the runs that are still there, in this order."""
    left = set(JobRun.objects.values_list("pk", flat=True))
    return [run for run in runs if run.pk in left]


def test_old_runs_go_and_the_last_success_of_their_unit_stays_with_what_followed() -> None:
    first = create_old_run(90, state=RunState.SUCCEEDED)
    failed, success = add_run(first, days=80, state=RunState.FAILED), add_run(first, days=70)
    after = add_run(first, days=60, state=RunState.FAILED)
    run = keep_house()
    assert list_left(first, failed, success, after) == [success, after]
    assert (run.state, run.result["job_runs"]) == (RunState.SUCCEEDED, {"deleted": 2})
    assert "2 job runs" in run.message


def test_young_and_unfinished_runs_stay() -> None:
    first = create_old_run(30, state=RunState.SUCCEEDED)
    success = add_run(first, days=1)
    other = create_job_run(state=RunState.QUEUED, finished_at=None)
    keep_house()
    assert list_left(first, success, other) == [first, success, other]


def test_with_zero_days_all_runs_are_kept(settings: Any) -> None:
    settings.JOB_RUN_RETENTION_DAYS = 0
    first = create_old_run(900, state=RunState.SUCCEEDED)
    add_run(first, days=800)
    run = keep_house()
    assert list_left(first) == [first]
    assert "job_runs" not in run.result


def test_ended_sessions_and_wrong_passwords_that_count_no_more_go() -> None:
    now = get_now()
    for key, end in (("ended", now - timedelta(seconds=1)), ("used", now + timedelta(hours=1))):
        UserSession.objects.create(session_key=key, expire_date=end, begun_at=now, last_used_at=now)
    for minutes in (16, 5):
        FailedLogIn.objects.create(username="a", address="192.0.2.1", at=now - timedelta(minutes=minutes))
    run = keep_house()
    assert list(UserSession.objects.values_list("session_key", flat=True)) == ["used"]
    assert FailedLogIn.objects.count() == 1
    assert run.message == "Deleted: 1 ended sessions, 1 wrong passwords."


def test_a_run_goes_with_nothing_old() -> None:
    assert keep_house().message == "Nothing was old enough to be deleted."


def test_the_audit_trail_is_never_touched() -> None:
    before = AuditEntry.objects.count()
    first = create_old_run(900, state=RunState.SUCCEEDED)
    add_run(first, days=800)
    with CaptureQueriesContext(connection) as queries:
        keep_house()
    assert AuditEntry.objects.count() >= before
    assert not [each for each in queries if 'DELETE FROM "audit_' in each["sql"]]


def test_it_deletes_in_short_transactions_and_goes_on_where_it_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ctms.jobs.retention._BATCH", 2)
    first = create_old_run(90, state=RunState.SUCCEEDED)
    for day in range(6):
        add_run(first, days=80 - day)
    definition = JobDefinition.objects.get(key=HOUSEKEEPING_JOB_KEY)
    run = create_run(definition=definition, unit=JobUnit(key="all", label=""), user=None)

    def cancel(progress: dict[str, Any]) -> None:
        if progress.get("job_runs", {}).get("deleted"):
            JobRun.objects.filter(pk=run.pk).update(
                cancel_requested_at=get_now(), cancel_requested_by=build_admin_actor().user
            )

    cancelled = execute_run(run.pk, on_progress=cancel)
    assert cancelled is not None
    assert (cancelled.state, cancelled.result["job_runs"]["deleted"]) == (RunState.CANCELLED, 4)
    assert first.definition.runs.count() == 3
    assert keep_house().result["job_runs"] == {"deleted": 2}
    assert first.definition.runs.count() == 1


def test_a_kind_that_cannot_be_deleted_fails_the_run_and_the_others_go(monkeypatch: pytest.MonkeyPatch) -> None:
    create_exception_message()
    rule = RetentionRule(
        key="broken",
        name="Broken",
        models=(ExceptionMessage,),
        find=lambda _now: [OldRows(rows=ExceptionMessage.objects.all())],
        keeps="",
        position=1,
    )
    monkeypatch.setitem(retention._rules, "broken", rule)
    monkeypatch.setitem(retention._names, "broken", "Broken")
    now = get_now()
    UserSession.objects.create(session_key="ended", expire_date=now, begun_at=now, last_used_at=now)
    run = keep_house()
    assert run.state == RunState.FAILED
    assert run.message.startswith("Broken could not be deleted: something refers to them.")
    assert not UserSession.objects.exists()


def test_it_is_delivered_daily_and_inactive_and_its_step_activates_it() -> None:
    definition = JobDefinition.objects.get(key=HOUSEKEEPING_JOB_KEY)
    assert (definition.frequency, definition.hour, definition.status) == (Frequency.DAILY, 3, RecordStatus.INACTIVE)
    step = get_step("housekeeping")
    assert step.read_state().status == StepStatus.TO_DO
    apply_step(step=step, actor=build_admin_actor())
    assert step.read_state().status == StepStatus.DONE


@pytest.mark.parametrize("active", [0, 1])
def test_it_takes_the_place_of_the_jobs_of_earlier_versions(active: int) -> None:
    delete_record(record=JobDefinition.objects.get(key=HOUSEKEEPING_JOB_KEY), actor=build_admin_actor())
    statuses = [RecordStatus.ACTIVE] * active + [RecordStatus.INACTIVE] * 2
    runs = []
    for key, status in zip(REPLACED_JOB_KEYS, statuses, strict=False):
        old = JobDefinition(key=key, name=key, status=status)
        save_record(record=old, actor=build_admin_actor())
        runs.append(create_job_run(definition=old, state=RunState.SUCCEEDED))
    waiting = create_job_run(definition=runs[0].definition, state=RunState.QUEUED, finished_at=None, unit_key="all")
    deliver_job_definitions(actor=build_admin_actor())
    definition = JobDefinition.objects.get(key=HOUSEKEEPING_JOB_KEY)
    assert definition.status == (RecordStatus.ACTIVE if active else RecordStatus.INACTIVE)
    assert not JobDefinition.objects.filter(key__in=REPLACED_JOB_KEYS).exists()
    assert set(definition.runs.all()) == {*runs, waiting}
    waiting.refresh_from_db()
    assert waiting.state == RunState.CANCELLED
    assert AuditEntry.objects.filter(reason__startswith="Housekeeping takes the place of").count() == 3
    deliver_job_definitions(actor=build_admin_actor())  # the next migrate changes nothing
    assert JobDefinition.objects.filter(key=HOUSEKEEPING_JOB_KEY, version=definition.version).count() == 1


@pytest.mark.parametrize("text", ["0", "35", "36500"])
def test_days_that_are_allowed(text: str) -> None:
    assert parse_days(text, fewest=35) == int(text)


@pytest.mark.parametrize("text", ["34", "36501", "-1", "a month", "1.5"])
def test_days_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"Write 0, so that everything is kept for ever, or .* from 35 to 36500"):
        parse_days(text, fewest=35)


def test_every_default_is_allowed() -> None:
    for default, fewest in RETENTION_SETTINGS.values():
        assert parse_days(str(default), fewest=fewest) == default
