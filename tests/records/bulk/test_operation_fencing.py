"""One run at a time checks or does an operation: a late or repeated run changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.clinical.models import Study
from ctms.core.clock import get_now
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import RunState, RunTrigger
from ctms.jobs.errors import LeaseLostError
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import execute_run, start_now
from ctms.records.bulk import runner
from ctms.records.bulk.operations import JOB_KEY
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft
from tests.factories.accounts import UserFactory
from tests.records.bulk.operation_steps import STUDY, confirm_import, count_created, get_run, watch
from tests.records.bulk.steps import confirm, list_problems, run_job, send_file, upload

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)


def queue_late_check(operation: BulkOperation) -> JobRun:
    """Queue a run that takes over a check whose worker died between its last transaction and the end of its run."""
    now = get_now()
    return JobRun.objects.create(
        definition=JobDefinition.objects.get(key=JOB_KEY),
        unit_key=f"check:{operation.uid}",
        slot=now,
        queued_at=now,
        trigger=RunTrigger.TAKEOVER,
    )


def keep_as_checked(operation: BulkOperation) -> BulkOperation:
    """Return the operation as a checker has it in memory that read it before it was confirmed."""
    stale = BulkOperation.objects.get(pk=operation.pk)
    stale.state = "checking"
    return stale


@pytest.mark.parametrize("mode", ["valid", "all"])
def test_a_check_that_is_taken_over_late_does_not_do_the_work(
    client: Client, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    operation = confirm_import(client, mode=mode)
    late = queue_late_check(operation)

    def check_late(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            execute_run(late.pk)

    watch(monkeypatch, check_late)
    execute_run(get_run(operation).pk)
    operation.refresh_from_db()
    late.refresh_from_db()
    assert (late.state, late.message) == (RunState.SUCCEEDED, "It was checked before.")
    assert (operation.state, operation.counts, set(count_created().values())) == ("done", {"created": 7}, {1})


@pytest.mark.parametrize("state", ["draft", "queued", "running", "done"])
def test_a_late_checker_leaves_alone_what_went_on(client: Client, state: str) -> None:
    operation = upload(client, STUDY, "Study number,Phase\nS-1,Phase I\nS-2,Phase IX\n", key="name__v")
    stale = keep_as_checked(operation)
    BulkOperation.objects.filter(pk=operation.pk).update(state=state)
    with pytest.raises(LeaseLostError):
        runner.check_operation(stale)
    operation.refresh_from_db()
    assert (operation.state, operation.counts, len(list_problems(operation))) == (
        state,
        {"created": 1, "failed": 1},
        1,
    )


def test_a_checker_that_is_overtaken_in_the_middle_stops(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\nS-2\nS-3\n", key="name__v")
    BulkOperation.objects.filter(pk=operation.pk).update(state="checking")
    stale = keep_as_checked(operation)

    def go_on(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            BulkOperation.objects.filter(pk=operation.pk).update(state="draft", done=0, counts={})
            confirm(client, operation)

    with monkeypatch.context() as patch:
        watch(patch, go_on)
        with pytest.raises(LeaseLostError):
            runner.check_operation(stale)
    operation.refresh_from_db()
    assert (operation.state, operation.done, operation.counts) == ("queued", 0, {})
    run_job(operation)
    assert (operation.state, operation.counts) == ("done", {"created": 3})


@pytest.mark.parametrize("mode", ["valid", "all"])
def test_of_two_that_do_the_same_operation_one_stops(
    client: Client, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    operation = confirm_import(client, mode=mode)

    def do_it_too(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            patch.undo()
            runner.perform_operation(BulkOperation.objects.get(pk=operation.pk))

    with monkeypatch.context() as patch:
        watch(patch, do_it_too)
        ended = execute_run(get_run(operation).pk)
    operation.refresh_from_db()
    assert ended is not None
    assert (ended.state, ended.message) == (
        RunState.INTERRUPTED,
        "Another run goes on with this operation, or it was dropped; this one stops here.",
    )
    assert (operation.state, operation.counts, set(count_created().values())) == ("done", {"created": 7}, {1})


def test_a_job_does_not_check_what_a_request_is_checking(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    skipped: list[JobRun | None] = []
    pages: list[bool] = []

    def start(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 1:
            pages.append("Go on" in client.get(f"/operations/{BulkOperation.objects.get().uid}/").content.decode())
            started = start_now(definition=JobDefinition.objects.get(key=JOB_KEY), user=None)
            skipped.extend(execute_run(run.pk) for run in started)

    watch(monkeypatch, start)
    send_file(client, STUDY, "Study number\nS-1\nS-2\nS-3\n", key="name__v")
    operation = BulkOperation.objects.get()
    assert (operation.state, operation.counts, pages) == ("draft", {"created": 3}, [False])
    assert [run.state for run in skipped if run is not None] == [RunState.SKIPPED]


def test_a_request_that_is_overtaken_by_a_job_leaves_the_check_to_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overtake(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 1:
            BulkOperation.objects.update(done=1)

    watch(monkeypatch, overtake)
    response: Any = send_file(client, STUDY, "Study number\nS-1\nS-2\nS-3\n", key="name__v")
    operation = BulkOperation.objects.get()
    assert (response.status_code, operation.state, operation.done) == (302, "checking", 1)


def test_the_time_limit_tells_how_to_go_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = confirm_import(client)

    def run_out(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            raise SoftTimeLimitExceeded

    with monkeypatch.context() as patch:
        watch(patch, run_out)
        ended = execute_run(get_run(operation).pk)
    assert ended is not None
    assert ended.state == RunState.INTERRUPTED
    assert ended.message == (
        "The run reached its time limit at 2 of 7 rows. To go on, choose “Go on” on the page of the operation, or "
        "start this job now."
    )
    assert "Go on" in client.get(f"/operations/{operation.uid}/").content.decode()
    client.post(f"/operations/{operation.uid}/resume/")
    run_job(operation)
    assert (operation.counts, Study.objects.count()) == ({"created": 7}, 7)


@pytest.mark.parametrize(("mode", "written"), [("valid", 4), ("all", 0)])
def test_a_cancelled_run_stops_after_its_batch_and_ends_the_operation(
    client: Client, monkeypatch: pytest.MonkeyPatch, user: User, mode: str, written: int
) -> None:
    operation = confirm_import(client, mode=mode)

    def cancel(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            cancel_run(run=get_run(operation), actor=Actor(user=user, source="page"))

    watch(monkeypatch, cancel)
    ended = run_job(operation)
    assert (ended.state, operation.state, Study.objects.count()) == (RunState.CANCELLED, "failed", written)
    assert operation.message.startswith(f"{user} cancelled it at ")


def test_an_operation_whose_run_is_cancelled_before_it_begins_has_ended(client: Client, user: User) -> None:
    operation = confirm_import(client)
    late = queue_late_check(operation)
    actor = Actor(user=user, source="page")
    cancel_run(run=late, actor=actor)
    operation.refresh_from_db()
    assert operation.state == "queued"
    cancel_run(run=get_run(operation), actor=actor)
    operation.refresh_from_db()
    assert (operation.state, Study.objects.count()) == ("failed", 0)
