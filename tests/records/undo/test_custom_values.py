"""Undoing brings no value into a custom field that its present kind cannot read."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from ctms.audit.actors import Actor
from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field, delete_custom_field
from tests.factories.accounts import UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory
from tests.records.undo.steps import delete, undo_last
from tests.sample.models import Training

pytestmark = pytest.mark.django_db
OBJECT, NAME = "training__v", "extra__c"


@pytest.fixture(autouse=True)
def actor(client: Client) -> Actor:
    user = UserFactory.create(is_superuser=True)
    client.force_login(user)
    return Actor(user=user, source="page")


def add(kind: str = "text") -> CustomField:
    field = CustomField(of_object=OBJECT, label="Extra", api_name=NAME, kind=kind)
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    return field


def create(**values: Any) -> Training:
    training = Training(name="GCP", external_id="GCP", trainee=PersonFactory.create())
    training.custom_fields = values
    save_record(record=training, actor=build_admin_actor())
    return training


@pytest.mark.parametrize("kind", ["number", "date", "datetime", "currency", "reference", "yes_no", "url"])
def test_a_value_from_before_the_field_had_this_kind_is_refused(client: Client, actor: Actor, kind: str) -> None:
    field = add()
    training = create(**{NAME: "abc"})
    training.custom_fields = {}
    save_record(record=training, actor=actor)
    delete_custom_field(field=field, actor=build_admin_actor())
    add(kind)
    response = undo_last(client, training)
    assert response.status_code == 302
    training.refresh_from_db()
    assert training.custom_fields == {}


def test_a_refusal_says_that_the_field_is_another_one(client: Client, actor: Actor) -> None:
    field = add()
    training = create(**{NAME: "abc"})
    training.custom_fields = {}
    save_record(record=training, actor=actor)
    delete_custom_field(field=field, actor=build_admin_actor())
    add("number")
    response = client.get(undo_last(client, training).url, follow=True)
    assert "This field held values of another kind then." in response.content.decode()


def test_a_change_of_a_field_that_is_inactive_now_is_refused_and_not_called_undone(
    client: Client, actor: Actor
) -> None:
    field = add()
    training = create(**{NAME: "abc"})
    training.custom_fields = {NAME: "def"}
    save_record(record=training, actor=actor)
    field.status = "inactive__v"
    save_record(record=field, actor=build_admin_actor())
    page = client.get(undo_last(client, training).url, follow=True).content.decode()
    assert "This field is not in use any more." in page
    assert "There is nothing to undo" not in page
    training.refresh_from_db()
    assert training.custom_fields == {NAME: "def"}


@pytest.mark.parametrize("kind", ["", "number"])
def test_a_deleted_record_comes_back_without_values_of_fields_that_are_gone(client: Client, kind: str) -> None:
    field = add()
    training = create(**{NAME: "abc"})
    delete(client, training)
    delete_custom_field(field=field, actor=build_admin_actor())
    if kind:
        add(kind)
    undo_last(client, training)
    back = Training.objects.get(uid=training.uid)
    assert back.custom_fields == {}
    assert client.get(f"/records/{OBJECT}/{back.uid}/").status_code == 200
    assert client.get(f"/records/{OBJECT}/?sort={NAME}").status_code == 200


def test_a_deleted_record_comes_back_with_values_of_inactive_fields(client: Client) -> None:
    field = add()
    training = create(**{NAME: "abc"})
    delete(client, training)
    field.status = "inactive__v"
    save_record(record=field, actor=build_admin_actor())
    undo_last(client, training)
    assert Training.objects.get(uid=training.uid).custom_fields == {NAME: "abc"}


def test_a_field_cannot_take_over_values_that_records_have_under_its_name() -> None:
    create(**{NAME: "abc"})
    with pytest.raises(ValidationError) as refused:
        add("number")
    assert "1 record has a value" in refused.value.message_dict["api_name"][0]
