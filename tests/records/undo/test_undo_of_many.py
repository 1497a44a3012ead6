"""What changed many records is undone."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from activities.models import Activity
from ctms.accounts.models import User
from ctms.audit.change_sets import ChangeSet
from ctms.clinical.models import Study
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.factories.bulk import create_activities, create_people
from tests.factories.clinical import (
    PersonFactory,
    StudyFactory,
)
from tests.records.bulk.steps import do_edit, do_import, list_problems, run_job
from tests.records.trainings import OBJECT as TRAINING
from tests.records.trainings import add_custom_fields, create_trainings, open_trainings
from tests.records.undo.steps import ACTIVITY, STUDY, change, delete, undo, undo_last
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True)
    client.force_login(made)
    return made


# -- Many records ---------------------------------------------------------------------------------
def test_a_bulk_edit_is_undone_at_once(client: Client) -> None:
    activities = create_activities(3)
    operation = do_edit(client, ACTIVITY, activities, subject__v="New", complete__v="yes")
    page = client.get(f"/operations/{operation.uid}/").content.decode()
    assert f'formaction="/undo/edit/{operation.uid}/"' in page
    undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
    values = {(each.subject, each.complete) for each in Activity.objects.all()}
    assert values == {(each.subject, each.complete) for each in activities}


def test_custom_fields_of_every_kind_come_back(client: Client) -> None:
    add_custom_fields()
    trainings = create_trainings()
    before = {each.uid: each.custom_fields for each in trainings}
    person = PersonFactory.create()
    values: dict[str, Any] = {
        "text__c": "New",
        "number__c": "7",
        "date__c": "2026-05-05",
        "yes_no__c": "yes",
        "picklist__c": None,
        "person__c": str(person.uid),
    }
    known: dict[str, Any] = {name: value for name, value in values.items() if name in open_trainings().shape.fields}
    operation = do_edit(client, TRAINING, trainings, **known)
    assert not operation.failed
    undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
    assert {each.uid: _drop_empty(each.custom_fields) for each in Training.objects.all()} == {
        uid: _drop_empty(fields) for uid, fields in before.items()
    }
    record = Training.objects.get(uid=trainings[0].uid)
    delete(client, record)
    undo_last(client, record)
    assert _drop_empty(Training.objects.get(uid=record.uid).custom_fields) == _drop_empty(record.custom_fields)


def _drop_empty(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in (None, "")}


def test_what_somebody_changed_after_a_bulk_edit_stays_and_the_rest_is_undone(client: Client) -> None:
    first, second = create_activities(2)
    operation = do_edit(client, ACTIVITY, [first, second], subject__v="New")
    change(first, subject="Theirs")
    response = client.post(f"/undo/edit/{operation.uid}/", follow=True)
    assert sorted(row.outcome for row in response.context["rows"]) == ["Change back", "Stays as it is"]
    undoing = BulkOperation.objects.get(kind="undo")
    response = client.post(f"/records/{ACTIVITY}/undo/{undoing.uid}/", {"mode": "valid"})
    run_job(undoing)
    assert undoing.message == "1 changed, 1 not undone."
    assert set(Activity.objects.values_list("subject", flat=True)) == {"Theirs", second.subject}
    assert list_problems(undoing)[0][1] == "Subject"


def test_all_or_nothing_undoes_nothing_then(client: Client) -> None:
    first, second = create_activities(2)
    operation = do_edit(client, ACTIVITY, [first, second], subject__v="New")
    change(first, subject="Theirs")
    BulkOperation.objects.update(plan={"list": "complete__v=no"})
    response = client.post(f"/undo/edit/{operation.uid}/", follow=True)
    assert response.context["list_url"] == f"/records/{ACTIVITY}/?complete__v=no"
    undoing = BulkOperation.objects.get(kind="undo")
    client.post(f"/records/{ACTIVITY}/undo/{undoing.uid}/", {"mode": "all"})
    run_job(undoing)
    assert (undoing.state, undoing.message) == ("failed", "Nothing was undone: 1 of 2 records cannot be put back.")
    assert set(Activity.objects.values_list("subject", flat=True)) == {"Theirs", "New"}


def test_an_import_is_undone_and_the_undo_of_it(client: Client) -> None:
    StudyFactory.create(name="S-1", study_name="Old")
    operation = do_import(client, STUDY, "Study number,Study name\nS-1,New\nS-2,Two\nS-3,Three\n", key="name__v")
    made = set(Study.objects.exclude(name="S-1").values_list("uid", flat=True))
    undo(client, ChangeSet(kind="import", key=str(operation.uid)))
    assert list(Study.objects.values_list("name", "study_name")) == [("S-1", "Old")]
    undoing = BulkOperation.objects.get(kind="undo")
    undo(client, ChangeSet(kind="undo", key=str(undoing.uid)))
    assert list_problems(BulkOperation.objects.latest("id")) == []
    assert set(Study.objects.values_list("name", "study_name")) == {("S-1", "New"), ("S-2", "Two"), ("S-3", "Three")}
    assert set(Study.objects.exclude(name="S-1").values_list("uid", flat=True)) == made


@pytest.mark.usefixtures("stopped_clock")
def test_many_records_take_as_many_statements_a_batch_as_few(client: Client) -> None:
    people = create_people(3)

    def count(number: int) -> int:
        operation = do_edit(client, ACTIVITY, create_activities(number, people=people), subject__v="New")
        with CaptureQueriesContext(connection) as captured:
            undo(client, ChangeSet(kind="edit", key=str(operation.uid)))
        return len(captured)

    count(1)  # fills what the process keeps
    assert count(60) <= count(2)


@pytest.mark.usefixtures("stopped_clock")
def test_an_import_of_many_is_deleted_in_few_statements(client: Client) -> None:
    def count(number: int, prefix: str) -> int:
        rows = "".join(f"{prefix}-{each},Name\n" for each in range(number))
        operation = do_import(client, STUDY, f"Study number,Study name\n{rows}", key="name__v")
        with CaptureQueriesContext(connection) as captured:
            undo(client, ChangeSet(kind="import", key=str(operation.uid)))
        return len(captured)

    count(1, "A")
    assert count(60, "B") <= count(2, "C")
    assert not Study.objects.exists()
