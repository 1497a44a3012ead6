"""What is written is what was previewed: who wrote meanwhile is named, and nothing of theirs is overwritten."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from django.apps import apps
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.services import delete_record, save_record
from ctms.clinical.models import Study
from ctms.records.bulk import runner
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import StudyFactory, StudySiteFactory
from tests.records.bulk.steps import confirm, do_edit, list_problems, prepare_edit, run_job, upload

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, STUDY = "crm_activity__v", "study__v"


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


def change(record: Any, **values: Any) -> None:
    """Change a record as Ada Admin does it in another window."""
    fresh = type(record).objects.get(pk=record.pk)
    for name, value in values.items():
        setattr(fresh, name, value)
    save_record(record=fresh, actor=build_admin_actor())


def perform(client: Client, operation: BulkOperation, *, mode: str = "valid") -> BulkOperation:
    confirm(client, operation, mode=mode)
    run_job(operation)
    return operation


def preview(client: Client, operation: BulkOperation, **parameters: Any) -> Any:
    kind = "import" if operation.kind == "import" else "bulk"
    return client.get(f"/records/{operation.of_object}/{kind}/{operation.uid}/", parameters)


# -- Bulk edit ------------------------------------------------------------------------------------
def test_an_edit_leaves_what_somebody_else_wrote_and_says_who_when_and_which_value(client: Client) -> None:
    first, second = create_activities(2)
    operation = prepare_edit(client, ACTIVITY, [first, second], subject__v="Mine")
    change(first, subject="Theirs", notes="More")
    perform(client, operation)
    assert operation.counts == {"changed": 1, "failed": 1}
    assert set(Activity.objects.values_list("subject", flat=True)) == {"Theirs", "Mine"}
    told = list(operation.problems.values_list("record_uid", "record_name", "field_label", "value"))
    assert sorted(told) == [(first.uid, "Theirs", "Notes", "More"), (first.uid, "Theirs", "Subject", "Theirs")]
    message = operation.problems.get(field_label="Subject").message
    assert message.startswith("Ada Admin changed it on ")
    assert "after it was checked: from “Activity 0” to “Theirs”. It stays as it is" in message


def test_a_change_of_another_field_is_shown_too(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old", notes="Old")
    operation = prepare_edit(client, ACTIVITY, [activity], subject__v="New")
    change(activity, notes="Meanwhile")
    perform(client, operation)
    activity.refresh_from_db()
    assert (activity.subject, activity.notes, activity.version) == ("Old", "Meanwhile", 2)


def test_what_has_the_value_already_is_no_conflict(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    operation = prepare_edit(client, ACTIVITY, [activity], subject__v="New")
    change(activity, subject="New")
    perform(client, operation)
    assert (operation.counts, list_problems(operation)) == ({"unchanged": 1}, [])


def test_a_record_that_changes_back_is_a_conflict(client: Client) -> None:
    activity = ActivityFactory.create(subject="Old")
    operation = prepare_edit(client, ACTIVITY, [activity], subject__v="New")
    change(activity, subject="Other")
    change(activity, subject="Old")
    perform(client, operation)
    assert operation.counts == {"failed": 1}


def test_the_preview_shows_what_changed_and_checks_it_again(client: Client) -> None:
    first, second = create_activities(2)
    operation = prepare_edit(client, ACTIVITY, [first, second], subject__v="Mine")
    change(first, subject="Theirs")
    response = preview(client, operation)
    assert [row.outcome for row in response.context["rows"]] == ["Changed meanwhile", "Change"]
    assert "Check again" in response.content.decode()
    client.post(f"/operations/{operation.uid}/check/")
    response = preview(client, operation)
    assert [row.outcome for row in response.context["rows"]] == ["Change", "Change"]
    cell = response.context["rows"][0].cells[0]
    assert (cell.old, cell.text) == ("Theirs", "Mine")
    assert perform(client, operation).counts == {"changed": 2}


def test_only_a_draft_is_checked_again(client: Client) -> None:
    operation = do_edit(client, ACTIVITY, create_activities(1), subject__v="Mine")
    client.post(f"/operations/{operation.uid}/check/")
    operation.refresh_from_db()
    assert operation.state == "done"


def test_what_comes_into_the_selection_or_leaves_it_changes_nothing(client: Client) -> None:
    site = StudySiteFactory.create()
    inside = ActivityFactory.create(site=site, study=site.study, subject="Old")
    operation = prepare_edit(client, ACTIVITY, [], query="q=Old", subject__v="New")
    ActivityFactory.create(subject="Old, but later")
    perform(client, operation)
    assert set(Activity.objects.filter(subject="New")) == {inside}


def test_names_that_follow_in_the_same_edit_are_no_conflict(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "BATCH_ROWS", 1)
    activities = create_activities(3)
    assert do_edit(client, ACTIVITY, activities, subject__v="New").counts == {"changed": 3}


@pytest.mark.usefixtures("stopped_clock")
def test_conflicts_take_as_many_statements_for_twenty_as_for_two(client: Client) -> None:
    people = create_people(3)

    def count(number: int) -> int:
        chosen = create_activities(number, people=people)
        operation = prepare_edit(client, ACTIVITY, chosen, subject__v="New")
        for activity in chosen:
            change(activity, notes="Meanwhile")
        with CaptureQueriesContext(connection) as captured:
            preview(client, operation)
        return len(captured)

    count(1)  # fills what the process keeps
    assert count(20) == count(2)


def test_the_preview_is_paged_and_names_records_as_people_do(client: Client) -> None:
    operation = prepare_edit(client, ACTIVITY, create_activities(120), complete__v="yes")
    response = preview(client, operation)
    assert [len(response.context["rows"]), response.context["pager"].text] == [50, "1 to 50 of 120"]
    assert response.context["rows"][0].name == "Activity 0"
    last = preview(client, operation, page=3).context
    assert (len(last["rows"]), last["rows"][-1].number, last["pager"].later) == (20, 120, None)
    assert preview(client, operation, page="nonsense").context["pager"].first == 1
    assert preview(client, operation, page=99).context["pager"].last == 120


# -- Import ---------------------------------------------------------------------------------------
def test_an_import_leaves_what_somebody_else_wrote(client: Client) -> None:
    study = StudyFactory.create(external_id="X-1", study_name="Old")
    operation = upload(client, STUDY, "External ID,Study name\nX-1,Mine\n")
    change(study, study_name="Theirs")
    perform(client, operation)
    study.refresh_from_db()
    assert (study.study_name, operation.counts) == ("Theirs", {"failed": 1})
    assert "from “Old” to “Theirs”" in operation.problems.get().message


def test_nothing_is_imported_at_all_if_that_was_asked(client: Client) -> None:
    study = StudyFactory.create(external_id="X-1", study_name="Old")
    StudyFactory.create(external_id="X-2", study_name="Old")
    operation = upload(client, STUDY, "External ID,Study name\nX-1,Mine\nX-2,Mine\n")
    change(study, study_name="Theirs")
    perform(client, operation, mode="all")
    assert operation.state == "failed"
    assert set(Study.objects.values_list("study_name", flat=True)) == {"Theirs", "Old"}


def test_a_row_that_was_to_change_a_record_creates_none_after_it_is_gone(client: Client) -> None:
    study = StudyFactory.create(name="S-1", study_name="Old")
    operation = upload(client, STUDY, "Study number,Study name\nS-1,Mine\n", key="name__v")
    delete_record(record=study, actor=build_admin_actor())
    perform(client, operation)
    assert not Study.objects.exists()
    assert "no new one was created" in operation.problems.get().message


def test_a_row_that_was_to_create_a_record_changes_none(client: Client) -> None:
    operation = upload(client, STUDY, "Study number,Study name\nS-1,Mine\n", key="name__v")
    study = StudyFactory.create(name="S-1", study_name="Theirs")
    perform(client, operation)
    study.refresh_from_db()
    assert (study.study_name, study.version, operation.counts) == ("Theirs", 1, {"failed": 1})


def test_a_row_with_an_error_is_not_written_later(client: Client) -> None:
    other = StudyFactory.create(external_id="X-1")
    operation = upload(client, STUDY, "Study number,External ID\nS-1,X-1\n", key="name__v")
    assert operation.counts == {"failed": 1}
    delete_record(record=other, actor=build_admin_actor())
    perform(client, operation)
    assert not Study.objects.exists()
    assert "when it was checked, so it was not written" in operation.problems.get().message


# -- What is kept ---------------------------------------------------------------------------------
def test_a_finished_operation_keeps_no_values(client: Client) -> None:
    operation = do_edit(client, ACTIVITY, create_activities(1), subject__v="About Ada Ash")
    assert (operation.content, operation.basis) == ("", "")
    assert operation.plan["fields"] == ["subject__v"]
    assert "Ada Ash" not in str(BulkOperation.objects.filter(pk=operation.pk).values())


def test_operations_of_before_lose_their_values_and_are_checked_again(user: User) -> None:
    for state in ("done", "draft"):
        BulkOperation.objects.create(
            user=user,
            of_object=ACTIVITY,
            kind="edit",
            state=state,
            plan={"values": {"subject__v": "Ada"}, "list": "q=a"},
        )
    import_module("ctms.records.migrations.0003_operation_basis").forget_values(apps, None)
    assert list(BulkOperation.objects.order_by("id").values_list("state", "plan")) == [
        ("done", {"fields": ["subject__v"], "list": "q=a"}),
        ("checking", {"values": {"subject__v": "Ada"}, "list": "q=a"}),
    ]
