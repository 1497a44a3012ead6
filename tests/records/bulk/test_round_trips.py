"""What is exported comes back as it was: each object, CSV and Excel, values of every kind."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.snapshot import load_configuration
from ctms.records.models import BulkOperation
from tests.factories.accounts import UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudySiteFactory
from tests.record_rows import OBJECTS, TrainingFactory, create_record
from tests.records.bulk.steps import do_import, list_problems, read_refusal, send_file, upload
from tests.records.trainings import add_custom_fields, create_trainings
from tests.sample.models import Training

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

ACTIVITY, TRAINING = "crm_activity__v", "training__v"
FORMATS = ("csv", "xlsx")


@pytest.fixture(autouse=True)
def user(client: Client) -> User:
    made = UserFactory.create(username="carla", is_superuser=True, time_zone="Europe/Berlin")
    client.force_login(made)
    return made


def export(client: Client, object_name: str, file_format: str) -> bytes:
    shape = load_configuration().get(object_name)
    address = f"/records/{object_name}/export.{file_format}?columns={','.join(shape.fields)}"
    response: Any = client.get(address)
    assert response.status_code == 200
    return b"".join(response.streaming_content)


def come_back(client: Client, object_name: str, file_format: str) -> BulkOperation:
    content = export(client, object_name, file_format)
    return do_import(client, object_name, content, name=f"list.{file_format}", key="", clear_empty="on")


@pytest.mark.parametrize("file_format", FORMATS)
@pytest.mark.parametrize("object_name", OBJECTS)
def test_a_list_of_any_object_comes_back_without_a_change(client: Client, object_name: str, file_format: str) -> None:
    for _ in range(2):
        create_record(object_name)
    operation = come_back(client, object_name, file_format)
    model = load_configuration().get(object_name).vault_object.model
    assert (list_problems(operation), operation.counts) == ([], {"unchanged": model._default_manager.count()})


@pytest.mark.parametrize("file_format", FORMATS)
def test_values_of_every_kind_come_back_without_a_change(client: Client, file_format: str) -> None:
    add_custom_fields()
    for name, kind, values in (("fee__c", "currency", []), ("topics__c", "multi_select", ["red", "blue"])):
        field = CustomField(of_object=TRAINING, api_name=name, label=name, kind=kind, picklist_values=values)
        save_record(record=field, actor=build_admin_actor())
    trainings = create_trainings()
    trainings[0].custom_fields |= {
        "datetime__c": "2026-03-02T13:05:59.123456+00:00",
        "long_text__c": "=1+1\n\n",
        "number__c": 12345.678901,
        "text__c": "'=apostrophe _x000D_ \u00a0end",
        "fee__c": {"amount": "1234.50", "currency": "EUR"},
        "topics__c": "red;blue",
    }
    save_record(record=trainings[0], actor=build_admin_actor())
    operation = come_back(client, TRAINING, file_format)
    assert (list_problems(operation), operation.counts) == ([], {"unchanged": 7})


@pytest.mark.parametrize("file_format", FORMATS)
def test_activities_come_back_without_a_change(client: Client, file_format: str) -> None:
    ActivityFactory.create(site=StudySiteFactory.create(), complete=True, subject="-1", notes="One\r\ntwo")
    assert come_back(client, ACTIVITY, file_format).counts == {"unchanged": 1}


@pytest.mark.parametrize("label", ["hours", "Hours*", "Ho\u00adurs ", "HOURS.", "hours__v", "*"])
def test_columns_of_nearly_the_same_label_come_back(client: Client, label: str) -> None:
    field = CustomField(of_object=TRAINING, api_name="hours__c", label=label, kind="number")
    save_record(record=field, actor=build_admin_actor())
    TrainingFactory.create(hours=1, custom_fields={"hours__c": 2})
    assert come_back(client, TRAINING, "csv").counts == {"unchanged": 1}


@pytest.mark.parametrize("heading", ["Hours", "Hours*"])
def test_a_column_that_could_mean_two_fields_is_refused(client: Client, heading: str) -> None:
    field = CustomField(of_object=TRAINING, api_name="hours__c", label="Hours*", kind="number")
    save_record(record=field, actor=build_admin_actor())
    answer = send_file(client, TRAINING, f"Name,Trainee,{heading}\nGCP,P-7,1\n", key="none")
    assert read_refusal(answer) == [f"The column “{heading}” could mean several fields. Name it hours__v or hours__c."]


def test_a_text_that_the_workbook_cut_stays_whole(client: Client) -> None:
    training = TrainingFactory.create(name="n", remarks="x" * 40_000)
    content = export(client, TRAINING, "xlsx")
    assert do_import(client, TRAINING, content, key="").counts == {"unchanged": 1}
    training.remarks = "y" * 40_000
    save_record(record=training, actor=build_admin_actor())
    operation = upload(client, TRAINING, content, key="")
    assert [(label, message[:37]) for _, label, message in list_problems(operation)] == [
        ("Remarks", "The export to Excel has cut this text")
    ]
    assert Training.objects.get().remarks == "y" * 40_000


@pytest.mark.parametrize("text", ["=1+1", "+49 30", "-5", "@x", "'=1", "''=1", "'plain'", "a;=1", "'"])
@pytest.mark.parametrize("file_format", FORMATS)
def test_what_looks_like_a_formula_arrives_in_another_record_as_it_is(
    client: Client, text: str, file_format: str
) -> None:
    training = TrainingFactory.create(name="n", remarks=text)
    content = export(client, TRAINING, file_format)
    training.remarks = "other"
    save_record(record=training, actor=build_admin_actor())
    assert do_import(client, TRAINING, content, key="").counts == {"changed": 1}
    training.refresh_from_db()
    assert training.remarks == text
