"""The job does a bulk operation, also while others write."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.clinical.models import Study
from ctms.core.errors import VaultError
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.models import JobDefinition, JobRun, Lease
from ctms.jobs.services import dispatch_due, execute_run
from ctms.records.bulk import runner
from ctms.records.bulk.operations import JOB_KEY, confirm_operation, find_operation
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities
from tests.factories.clinical import StudyFactory
from tests.jobs.handlers import let_lease_run_out
from tests.records.bulk.operation_steps import (
    ACTIVITY,
    ROWS,
    STUDY,
    ProcessDiedError,
    confirm_import,
    count_created,
    get_run,
    watch,
)
from tests.records.bulk.steps import confirm, list_problems, prepare_edit, run_job, upload

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)


# -- The job --------------------------------------------------------------------------------------
def test_a_confirmed_operation_is_one_unit_of_a_job_whether_it_is_active_or_not(client: Client, user: User) -> None:
    operation = confirm_import(client)
    assert JobDefinition.objects.get(key=JOB_KEY).status == "inactive__v"
    run = get_run(operation)
    assert (run.state, run.requested_by, run.unit_label, run.trigger) == (
        RunState.QUEUED,
        user,
        f"Import of {STUDY} by {user}",
        RunTrigger.START_NOW,
    )
    ended = run_job(operation)
    assert (ended.state, ended.message, ended.result) == (
        RunState.SUCCEEDED,
        "7 created.",
        {STUDY: {"created": 7}},
    )
    assert Study.objects.count() == ROWS


def test_rows_that_fail_are_exceptions_of_the_run(client: Client) -> None:
    operation = upload(client, STUDY, "Study number,Phase\nS-1,\nS-2,Phase IX\n", key="name__v")
    confirm(client, operation)
    run = run_job(operation)
    assert (run.state, run.message) == (RunState.WITH_EXCEPTIONS, "1 created, 1 not imported.")


def test_an_operation_is_confirmed_once(client: Client) -> None:
    operation = confirm_import(client)
    confirm(client, operation)
    assert JobRun.objects.filter(unit_key=str(operation.uid)).count() == 1
    with pytest.raises(VaultError):
        confirm_operation(operation=operation, actor=Actor(user=operation.user, source="page"))


def test_an_operation_that_was_dropped_is_no_success(client: Client) -> None:
    operation = confirm_import(client)
    BulkOperation.objects.all().delete()
    ended = execute_run(get_run(operation).pk)
    assert ended is not None
    assert (ended.state, ended.message) == (RunState.FAILED, "The operation was dropped before it was done.")
    with pytest.raises(VaultError):
        find_operation(str(uuid4()))


@pytest.mark.parametrize("dies_after", range(1, 5))
def test_a_worker_that_dies_is_taken_over_and_each_row_is_written_once(
    client: Client, monkeypatch: pytest.MonkeyPatch, dies_after: int
) -> None:
    operation = confirm_import(client)

    def die(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == dies_after:
            raise ProcessDiedError

    with monkeypatch.context() as patch:
        watch(patch, die)
        with pytest.raises(ProcessDiedError):
            execute_run(get_run(operation).pk)
    operation.refresh_from_db()
    assert (operation.state, operation.done) == ("running", (dies_after - 1) * 2)
    assert Study.objects.count() == operation.done
    let_lease_run_out(get_run(operation).pk)
    assert dispatch_due().taken_over == 1
    run_job(operation)
    assert (operation.state, operation.done, operation.counts) == ("done", ROWS, {"created": ROWS})
    assert count_created() == {f"S-{number}": 1 for number in range(ROWS)}


def test_who_takes_over_knows_the_lines_that_were_dealt_with(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\nS-2\nS-3\nS-1\n", key="name__v")
    confirm(client, operation)

    def die(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            raise ProcessDiedError

    with monkeypatch.context() as patch:
        watch(patch, die)
        with pytest.raises(ProcessDiedError):
            execute_run(get_run(operation).pk)
    let_lease_run_out(get_run(operation).pk)
    dispatch_due()
    run_job(operation)
    assert list_problems(operation) == [
        (5, "Study number", "Line 2 is about the same record (Study number). Leave one of the two.")
    ]


@pytest.mark.parametrize("mode", ["valid", "all"])
def test_a_run_that_lost_its_lease_writes_nothing_more(
    client: Client, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    operation = confirm_import(client, mode=mode)

    def lose(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            Lease.objects.filter(run=get_run(operation)).update(token=99)

    watch(monkeypatch, lose)
    run = execute_run(get_run(operation).pk)
    operation.refresh_from_db()
    assert run is not None
    assert (run.state, operation.state) == (RunState.RUNNING, "running")
    assert Study.objects.count() == (2 if mode == "valid" else 0)


def test_a_database_that_goes_away_leaves_the_operation_to_the_next_run(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = confirm_import(client)

    def go_away(_planned: int, _drafts: Sequence[RowDraft]) -> None:
        raise OperationalError

    with monkeypatch.context() as patch:
        watch(patch, go_away)
        with pytest.raises(OperationalError):
            execute_run(get_run(operation).pk)
    operation.refresh_from_db()
    assert operation.state == "running"


def test_a_fault_ends_the_operation_with_what_was_done_before(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = confirm_import(client)

    def fail(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 3:
            raise KeyError

    watch(monkeypatch, fail)
    run = run_job(operation)
    assert (run.state, operation.state, operation.finished_at is not None) == (RunState.FAILED, "failed", True)
    assert operation.message == (
        "An unexpected KeyError stopped it; the worker's log has the details. Tell an admin. 4 of 7 rows were dealt "
        "with before."
    )
    assert Study.objects.count() == 4


# -- Others write at the same time ----------------------------------------------------------------
def test_a_record_that_changes_while_it_is_planned_is_left_as_it_is(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    activities = create_activities(3)
    operation = prepare_edit(client, ACTIVITY, activities, subject__v="New")
    confirm(client, operation)

    def change(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 1:
            fresh = Activity.objects.get(pk=activities[0].pk)
            fresh.notes = "Meanwhile"
            save_record(record=fresh, actor=build_admin_actor())

    watch(monkeypatch, change)
    run_job(operation)
    assert operation.counts == {"changed": 2, "failed": 1}
    assert list_problems(operation)[0][:2] == (1, "Notes")
    assert set(Activity.objects.values_list("subject", "notes")) == {("Activity 0", "Meanwhile"), ("New", "")}


def test_records_that_change_all_the_time_are_left_as_they_are(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    activities = create_activities(2)
    operation = prepare_edit(client, ACTIVITY, activities, subject__v="New")
    confirm(client, operation)

    def change(_planned: int, _drafts: Sequence[RowDraft]) -> None:
        fresh = Activity.objects.get(pk=activities[0].pk)
        fresh.notes += "+"
        save_record(record=fresh, actor=build_admin_actor())

    watch(monkeypatch, change)
    run_job(operation)
    assert operation.counts == {"changed": 1, "failed": 1}
    assert list_problems(operation)[0][2].startswith("Ada Admin changed it on ")


@pytest.mark.parametrize("mode", ["valid", "all"])
def test_a_record_that_others_create_meanwhile_is_found(
    client: Client, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    operation = confirm_import(client, mode=mode, rows=2)

    def create(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 1:
            StudyFactory.create(name="S-1")

    watch(monkeypatch, create)
    run_job(operation)
    assert operation.counts == {"created": 1, "unchanged": 1}


def test_what_only_the_database_refuses_is_told_by_row(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = confirm_import(client, rows=2)

    def spoil(_planned: int, drafts: Sequence[RowDraft]) -> None:
        drafts[0].record.name = ""

    watch(monkeypatch, spoil)
    run_job(operation)
    assert operation.counts == {"created": 1, "failed": 1}
    assert list_problems(operation) == [(2, "Study number", "This field is required.")]


def test_all_or_nothing_is_nothing_if_the_database_refuses_one(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = confirm_import(client, mode="all", rows=2)

    def spoil(_planned: int, drafts: Sequence[RowDraft]) -> None:
        drafts[1].record.name = ""

    watch(monkeypatch, spoil)
    run_job(operation)
    assert (operation.state, Study.objects.count()) == ("failed", 0)
    assert list_problems(operation) == [(3, "Study number", "This field is required.")]
