"""A new object needs no new view, no new template and no new URL.

`tests.sample` is models and their registrations; see `tests/sample/apps.py`.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from ctms.jobs.choices import RunState
from ctms.jobs.models import JobRun
from ctms.jobs.services import execute_run
from ctms.records.bulk.imports.keys import ALWAYS_CREATE
from ctms.records.models import BulkOperation
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.clinical import PersonFactory
from tests.sample.models import Training

pytestmark = pytest.mark.django_db

NAME = "training__v"


@pytest.fixture
def trainer(client: Client) -> User:
    """A user whose profile has permissions for the object."""
    permissions = [f"{NAME}:{action}" for action in ("read", "create", "edit", "delete")]
    profile = SecurityProfileFactory.create(permissions=[*permissions, "person__sys:read"], sees_all_studies=True)
    user = UserFactory.create(security_profile=profile)
    client.force_login(user)
    return user


def url(page: str, *args: Any) -> str:
    return reverse(page, args=(NAME, *args))


def create_training(client: Client, **values: Any) -> Training:
    person = PersonFactory.create()
    typed = {"name__v": "GCP refresher", "trainee__v": str(person.uid), "status__v": "active__v", **values}
    response = client.post(url("record_create"), typed)
    assert response.status_code == 302, response.context["form"].errors
    return Training.objects.get(name=typed["name__v"])


def test_an_object_of_one_model_and_one_registration_has_everything(client: Client, trainer: User) -> None:
    training = create_training(client, date__v="2026-03-02", hours__v="4", method__v="online__v", passed__v="on")
    assert (training.date, training.hours, training.method, training.passed) == (
        dt.date(2026, 3, 2),
        4,
        "online__v",
        True,
    )
    assert "GCP refresher" in client.get(url("record_list")).content.decode()
    assert "GCP refresher" in client.get(url("record", training.uid)).content.decode()
    assert "GCP refresher" in client.get(reverse("search") + "?q=refresher").content.decode()

    response = client.post(
        url("record_field", training.uid, "hours__v"), {"hours__v": "6", "expected_version": training.version}
    )
    assert response.status_code == 302
    training.refresh_from_db()
    assert (training.hours, training.version) == (6, 2)

    response = client.post(url("record_delete", training.uid), {"expected_version": training.version})
    assert response.status_code == 302
    assert [entry.action for entry in AuditEntry.objects.filter(record_uid=training.uid).order_by("id")] == [
        AuditAction.CREATED,
        AuditAction.CHANGED,
        AuditAction.DELETED,
    ]


def test_it_is_exported_and_imported(client: Client, trainer: User) -> None:
    create_training(client, remarks__v="=1+1")
    response = client.get(url("record_export", "csv") + "?columns=name__v,trainee__v,remarks__v")
    content = b"".join(response.streaming_content).decode("utf-8-sig")  # type: ignore[attr-defined]
    [header, row] = list(csv.reader(io.StringIO(content)))
    assert (header, row[0], row[2]) == (["Name", "Trainee", "Remarks"], "GCP refresher", "'=1+1")

    person = PersonFactory.create()
    lines = f"Name,Trainee,Hours\nFirst aid,{person.external_id},2\n"
    upload = SimpleUploadedFile("trainings.csv", lines.encode(), content_type="text/csv")
    client.post(url("record_import"), {"file": upload, "key": ALWAYS_CREATE})
    operation = BulkOperation.objects.get()
    confirmed = client.post(url("record_import_preview", operation.uid), {"mode": "all"})
    assert confirmed.status_code == 302
    run_jobs()
    imported = Training.objects.get(name="First aid")
    assert (imported.trainee, imported.hours, imported.created_by) == (person, 2, trainer)


def test_many_are_changed_at_once(client: Client, trainer: User) -> None:
    trainings = [create_training(client, name__v=f"Training {number}") for number in range(3)]
    chosen = {"uids": [str(training.uid) for training in trainings], "step": "preview"}
    client.post(url("record_bulk"), chosen | {"change": "hours__v", "hours__v": "8"})
    operation = BulkOperation.objects.get()
    client.post(url("record_bulk_preview", operation.uid))
    run_jobs()
    assert list(Training.objects.values_list("hours", flat=True)) == [8, 8, 8]


def test_its_api_reads_writes_and_refuses(client: Client, trainer: User) -> None:
    person = PersonFactory.create()
    created = client.post(
        f"/api/v1/{NAME}/",
        json.dumps({"name__v": "By API", "trainee__v": str(person.uid), "hours__v": 3}),
        content_type="application/json",
    )
    assert created.status_code == 201, created.content
    address = created.headers["Location"]
    read = client.get(address)
    assert (read.json()["hours__v"], read.json()["version"]) == (3, 1)
    changed = client.patch(
        address,
        json.dumps({"hours__v": 5}),
        content_type="application/json",
        headers={"If-Match": read.headers["ETag"]},
    )
    assert (changed.status_code, changed.json()["hours__v"], changed.json()["version"]) == (200, 5, 2)
    assert [each["name__v"] for each in client.get(f"/api/v1/{NAME}/?hours__v__from=4").json()["results"]] == ["By API"]


def test_who_may_not_is_refused(client: Client) -> None:
    client.force_login(UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[])))
    assert [client.get(url(page)).status_code for page in ("record_list", "record_create", "record_import")] == [
        403
    ] * 3
    assert client.get(f"/api/v1/{NAME}/").status_code == 403


def run_jobs() -> None:
    for run in JobRun.objects.filter(state=RunState.QUEUED):
        execute_run(run.pk)
