"""The pages of a bulk operation, and an admin who cancels it."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.models import AuditEntry
from ctms.clinical.models import Study
from ctms.core.clock import get_now
from ctms.jobs.cancellation import cancel_run
from ctms.jobs.choices import UNFINISHED_STATES, RunState
from ctms.jobs.models import JobDefinition, JobRun
from ctms.jobs.services import dispatch_due, start_now
from ctms.records.bulk import runner
from ctms.records.bulk.jobs import list_waiting_units
from ctms.records.bulk.operations import JOB_KEY
from ctms.records.bulk.views import operations
from ctms.records.bulk.views.operations import build_problem_context
from ctms.records.models import BulkOperation
from ctms.records.writing.bulk_write import RowDraft
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory
from tests.records.bulk.operation_steps import (
    ACTIVITY,
    ROWS,
    STUDY,
    confirm_import,
    watch,
)
from tests.records.bulk.steps import confirm, do_import, prepare_edit, run_job, upload

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


@pytest.fixture(autouse=True)
def _small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 2)


# -- Pages ----------------------------------------------------------------------------------------
def test_the_page_tells_how_far_it_is_and_asks_again_until_it_is_done(client: Client) -> None:
    operation = confirm_import(client)
    address = f"/operations/{operation.uid}/"
    page = client.get(address).content.decode()
    assert ("Waiting" in page, "0 of 7 rows" in page, 'hx-trigger="every 1s"' in page) == (True, True, True)
    fragment = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert fragment.lstrip().startswith('<div class="stack"')
    run_job(operation)
    page = client.get(address, headers={"HX-Request": "true"}).content.decode()
    assert ("7 created." in page, "hx-trigger" in page) == (True, False)


def test_an_operation_that_ends_while_its_page_is_made_is_not_said_to_be_interrupted(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = confirm_import(client)

    def end_meanwhile(shown: BulkOperation, *, user: User) -> dict[str, Any]:
        run_job(operation)
        return build_problem_context(shown, user=user)

    monkeypatch.setattr(operations, "build_problem_context", end_meanwhile)
    page = client.get(f"/operations/{operation.uid}/").content.decode()
    operation.refresh_from_db()
    assert operation.finished_at is not None
    assert ("was interrupted" in page, 'hx-trigger="every 1s"' in page) == (False, True)


def test_a_checked_operation_leads_to_its_preview(client: Client) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\n", key="none")
    preview = f"/records/{STUDY}/import/{operation.uid}/"
    response = client.get(f"/operations/{operation.uid}/", headers={"HX-Request": "true"})
    assert response["HX-Redirect"] == preview
    confirm(client, operation)
    again: Any = client.get(preview)
    assert again.url == f"/operations/{operation.uid}/"


def test_the_way_back_is_the_list_as_it_was(client: Client) -> None:
    activity = ActivityFactory.create()
    chosen = {"uids": str(activity.uid), "query": "channel__v=phone__v", "step": "preview"}
    response: Any = client.post(f"/records/{ACTIVITY}/bulk/", chosen | {"change": "subject__v", "subject__v": "New"})
    preview = client.get(response.url, follow=True)
    assert preview.context["list_url"] == f"/records/{ACTIVITY}/?channel__v=phone__v"


def test_problems_can_be_downloaded_and_are_no_formulas(client: Client) -> None:
    content = "Study number,Phase\nS-1,=1+1\n"
    operation = do_import(client, STUDY, content, key="name__v")
    response: Any = client.get(f"/operations/{operation.uid}/problems.csv")
    rows = list(csv.reader(io.StringIO(response.getvalue().decode("utf-8-sig"))))
    assert rows == [
        ["Line", "Name", "UID", "Field", "Value", "Kind", "What is wrong"],
        [
            "2",
            "S-1",
            "",
            "Phase",
            "'=1+1",
            "Error",
            "“=1+1” is none of the choices: Phase I, Phase II, Phase III, Phase IV, Not applicable.",
        ],
    ]


def test_operations_are_seen_by_their_users_and_by_who_manages_jobs(client: Client) -> None:
    operation = confirm_import(client)
    for permissions, status in ((["study__v:read", "study__v:create"], 404), (["admin:jobs"], 200)):
        profile = SecurityProfileFactory.create(permissions=permissions)
        client.force_login(UserFactory.create(security_profile=profile))
        seen = [
            client.get(f"/operations/{operation.uid}/").status_code,
            client.get(f"/operations/{operation.uid}/problems.csv").status_code,
        ]
        assert seen == [status, status]
    client.logout()
    assert client.get(f"/operations/{operation.uid}/").status_code == 302


def read_as_another(client: Client, operation: BulkOperation, *permissions: str, **options: Any) -> tuple[str, str]:
    """Return the page and the file of problems as a user who manages jobs reads them."""
    profile = SecurityProfileFactory.create(permissions=["admin:jobs", *permissions], **options)
    client.force_login(UserFactory.create(security_profile=profile))
    page = client.get(f"/operations/{operation.uid}/")
    file: Any = client.get(f"/operations/{operation.uid}/problems.csv")
    return page.content.decode(), file.getvalue().decode("utf-8-sig")


def test_who_manages_jobs_sees_figures_and_nothing_of_the_rows(client: Client) -> None:
    content = "Study number,Sponsor,Phase\nSECRET-1,SECRET,nonsense-SECRET\nS-2,SECRET,Phase I\n"
    operation = do_import(client, STUDY, content, key="name__v", name="SECRET.csv")
    for permissions in ((), ("study__v:read",)):
        page, file = read_as_another(client, operation, *permissions, sees_all_studies=True)
        assert ("SECRET" in page, "SECRET" in file, file.count("\n")) == (False, False, 1)
        assert ("1 created, 1 not imported." in page, f"Import by {operation.user}" in page) == (True, True)
        assert "you see only what is about records that are visible to you" in page


def test_who_manages_jobs_sees_what_went_wrong_with_the_records_that_are_visible(client: Client) -> None:
    seen, hidden = StudyFactory.create(name="SEEN"), StudyFactory.create(name="SECRET")
    operation = do_import(client, STUDY, "Study number,Phase\nSEEN,x\nSECRET,y\n", key="name__v")
    BulkOperation.objects.filter(pk=operation.pk).update(kind="edit", plan={"list": "q=SECRET"})
    for study, number in ((seen, 2), (hidden, 3)):
        operation.problems.filter(position=number).update(record_uid=study.uid, record_name=study.name)
    profile = SecurityProfileFactory.create(permissions=["admin:jobs", "study__v:read"], sees_all_studies=False)
    reader = UserFactory.create(security_profile=profile)
    StudyAssignmentFactory.create(user=reader, study=seen)
    client.force_login(reader)
    page = client.get(f"/operations/{operation.uid}/").content.decode()
    file: Any = client.get(f"/operations/{operation.uid}/problems.csv")
    text = file.getvalue().decode()
    assert (">SEEN<" in page, "SECRET" in page, "SEEN" in text, "SECRET" in text) == (True, False, True, False)


def test_why_an_operation_failed_is_told_to_its_user(client: Client) -> None:
    operation = confirm_import(client)
    BulkOperation.objects.filter(pk=operation.pk).update(state="failed", message="SECRET", finished_at=get_now())
    assert "SECRET" in client.get(f"/operations/{operation.uid}/").content.decode()
    page, _ = read_as_another(client, operation)
    assert ("SECRET" in page, "sees why on this page" in page) == (False, True)


def test_who_manages_jobs_confirms_nothing_in_the_name_of_others(client: Client) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\n", key="none")
    client.force_login(UserFactory.create(is_superuser=True))
    preview = f"/records/{STUDY}/import/{operation.uid}/"
    statuses = [
        client.post(preview).status_code,
        client.get(preview).status_code,
        client.post(f"/operations/{operation.uid}/discard/").status_code,
    ]
    page = client.get(f"/operations/{operation.uid}/").content.decode()
    assert (statuses, "To be confirmed" in page, "Failed" in page) == ([404, 404, 404], True, False)
    operation.refresh_from_db()
    assert operation.state == "draft"


def test_an_interrupted_operation_can_go_on(client: Client) -> None:
    operation = confirm_import(client)
    assert "Go on" not in client.get(f"/operations/{operation.uid}/").content.decode()
    client.post(f"/operations/{operation.uid}/resume/")
    assert JobRun.objects.filter(unit_key=str(operation.uid)).count() == 1
    JobRun.objects.update(state=RunState.INTERRUPTED)
    assert "Go on" in client.get(f"/operations/{operation.uid}/").content.decode()
    client.post(f"/operations/{operation.uid}/resume/")
    run_job(operation)
    assert operation.state == "done"


def test_start_now_takes_up_what_waits(client: Client) -> None:
    operation = confirm_import(client)
    JobRun.objects.update(state=RunState.INTERRUPTED)
    started = start_now(definition=JobDefinition.objects.get(key=JOB_KEY), user=None)
    assert [run.unit_key for run in started] == [str(operation.uid)]


def test_a_draft_can_be_dropped_and_what_is_confirmed_cannot(client: Client) -> None:
    draft = upload(client, STUDY, "Study number\nS-1\n", key="none")
    response: Any = client.post(f"/operations/{draft.uid}/discard/")
    assert (response.url, BulkOperation.objects.count()) == (f"/records/{STUDY}/", 0)
    operation = confirm_import(client)
    client.post(f"/operations/{operation.uid}/discard/")
    assert BulkOperation.objects.count() == 1


def test_forgotten_drafts_are_dropped(client: Client) -> None:
    for _ in range(2):
        upload(client, STUDY, "Study number\nS-1\n", key="none")
    BulkOperation.objects.update(created_at=get_now() - timedelta(days=2))
    operation = upload(client, STUDY, "Study number\nS-1\n", key="none")
    assert list(BulkOperation.objects.all()) == [operation]


def test_the_upload_page_lists_the_latest_imports(client: Client) -> None:
    operation = confirm_import(client)
    run_job(operation)
    page = client.get(f"/records/{STUDY}/import/").content.decode()
    assert (f"/operations/{operation.uid}/" in page, "7 created." in page) == (True, True)


def test_addresses_of_another_object_are_not_found(client: Client) -> None:
    operation = upload(client, STUDY, "Study number\nS-1\n", key="none")
    activity = ActivityFactory.create()
    edit = prepare_edit(client, ACTIVITY, [activity], subject__v="New")
    statuses = [
        client.get(f"/records/{ACTIVITY}/import/{operation.uid}/").status_code,
        client.get(f"/records/{STUDY}/bulk/{edit.uid}/").status_code,
        client.get(f"/records/{ACTIVITY}/import/{edit.uid}/").status_code,
        client.get(f"/operations/{UUID(int=0)}/").status_code,
    ]
    assert statuses == [404, 404, 404, 404]


# -- Cancelled by an admin ------------------------------------------------------------------------
def cancel_unit(operation: BulkOperation) -> JobRun:
    run = JobRun.objects.get(unit_key__endswith=str(operation.uid), state__in=UNFINISHED_STATES)
    return cancel_run(run=run, actor=build_admin_actor())


def test_a_cancelled_import_keeps_the_batches_it_wrote_and_ends_for_good(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = confirm_import(client)

    def cancel(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            cancel_unit(operation)

    watch(monkeypatch, cancel)
    run = run_job(operation)
    run.refresh_from_db()
    assert (run.state, run.result) == (RunState.CANCELLED, {STUDY: {"rows": ROWS, "done": 4}})
    assert Study.objects.filter(name__startswith="S-").count() == 4
    assert (operation.state, operation.done, operation.content) == ("failed", 4, "")
    assert operation.message.endswith("UTC. 4 of 7 rows were dealt with before.")
    assert list_waiting_units() == []
    assert dispatch_due().taken_over == 0


def test_an_import_that_is_all_or_nothing_is_nothing_if_it_is_cancelled(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    operation = confirm_import(client, mode="all")

    def cancel(planned: int, _drafts: Sequence[RowDraft]) -> None:
        if planned == 2:
            cancel_unit(operation)

    watch(monkeypatch, cancel)
    run = run_job(operation)
    run.refresh_from_db()
    assert (run.state, operation.state) == (RunState.CANCELLED, "failed")
    assert not Study.objects.filter(name__startswith="S-").exists()


def test_an_operation_that_is_cancelled_before_it_begins_is_not_offered_to_be_continued(client: Client) -> None:
    operation = confirm_import(client)
    run = cancel_unit(operation)
    operation.refresh_from_db()
    assert (run.state, operation.state, operation.message) == (RunState.CANCELLED, "failed", run.message)
    assert list_waiting_units() == []
    assert not Study.objects.filter(name__startswith="S-").exists()


def test_what_an_operation_writes_bears_the_address_of_who_confirmed_it(client: Client) -> None:
    operation = upload(client, "study__v", "Study number\nS-1\n", key="name__v")
    address = f"/records/study__v/import/{operation.uid}/"
    assert client.post(address, {"mode": "valid"}, REMOTE_ADDR="192.0.2.5").status_code == 302
    confirmed = AuditEntry.objects.latest("id")
    assert (confirmed.reason, confirmed.address) == ("Import confirmed", "192.0.2.5")
    assert confirmed.changes == {"operation": [None, str(operation.uid)], "records": [None, 1]}
    run_job(operation)
    study = Study.objects.get(name="S-1")
    assert AuditEntry.objects.get(record_uid=study.uid).address == "192.0.2.5"
