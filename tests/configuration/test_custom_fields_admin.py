"""The console pages of a custom field: its form, its picklist values, where it is used, and its end."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.audit.services import save_record
from ctms.configuration.models import CustomField
from ctms.configuration.services import create_custom_field
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_errors, list_messages, log_in_admin, submit
from tests.factories.base import build_admin_actor
from tests.factories.clinical import PersonFactory

pytestmark = pytest.mark.django_db

NAME = "badge__c"


def add(**values: Any) -> CustomField:
    field = CustomField(**{"of_object": "person__sys", "label": "Badge", "api_name": NAME, **values})
    create_custom_field(field=field, actor=build_admin_actor(), add_to_layouts=True)
    return field


def get_url(field: CustomField, page: str = "change") -> str:
    return reverse(f"admin:configuration_customfield_{page}", args=(field.pk,))


def save(client: Client, field: CustomField, **typed: Any) -> Any:
    answer = submit(client, get_url(field), form_id="customfield_form", **typed)
    field.refresh_from_db()
    return answer


def test_what_values_a_field_takes_is_said_in_its_form(client: Client) -> None:
    log_in_admin(client)
    field = add(kind="number")
    save(
        client,
        field,
        is_required="on",
        is_unique="on",
        decimals="2",
        least="0.5",
        greatest="9",
        help_text="On the card",
    )
    found = (field.is_required, field.is_unique, field.decimals, str(field.least), field.help_text)
    assert found == (True, True, 2, "0.500000", "On the card")
    save(client, field, is_unique=None, default_value="1.50")
    assert field.default_value == 1.5
    assert list_errors(save(client, field, default_value="12")) == {"default_value": ["Enter at most 9."]}


def test_values_are_labelled_ordered_retired_and_added(client: Client) -> None:
    log_in_admin(client)
    field = add(kind="picklist", picklist_values=["Red", "Blue", "Grey"])
    PersonFactory.create(custom_fields={NAME: "Red"})
    save(
        client,
        field,
        picklist_values="Dark green\n",
        picklist_values_label=["Crimson", "Blue", "Grey"],
        picklist_values_position=["2", "1", "3"],
        picklist_values_active=["Blue"],
        picklist_values_delete=["Grey"],
    )
    assert field.picklist_values == [
        {"api_name": "Blue", "label": "Blue", "is_active": True},
        {"api_name": "Red", "label": "Crimson", "is_active": False},
        {"api_name": "dark_green__c", "label": "Dark green", "is_active": True},
    ]


def test_a_value_that_records_have_is_not_deleted(client: Client) -> None:
    log_in_admin(client)
    field = add(kind="picklist", picklist_values=["Red", "Blue"])
    PersonFactory.create(custom_fields={NAME: "Red"})
    [message] = list_errors(save(client, field, picklist_values_delete=["Red"]))["picklist_values"]
    assert message.startswith("Red is in 1 record. Retire a value")
    answer = client.post(get_url(field, "replace_value"), {"old": "Red", "new": "Blue", "reason": "Gone"})
    assert list_messages(client.get(answer.headers["Location"])) == ["1 record was changed."]
    save(client, field, picklist_values_delete=["Red"])
    assert [each["api_name"] for each in field.picklist_values] == ["Blue"]


def test_where_a_field_is_used_is_shown_before_it_is_switched_off_and_on(client: Client) -> None:
    log_in_admin(client)
    field = add()
    PersonFactory.create(custom_fields={NAME: "B-1"})
    page = client.get(get_url(field, "show_uses")).content.decode()
    assert "1 record has a value in it." in page
    assert "Person page layout" in page
    asked = client.get(get_url(field, "deactivate")).content.decode()
    assert "Person page layout" in asked
    for page_name, status in (("deactivate", RecordStatus.INACTIVE), ("activate", RecordStatus.ACTIVE)):
        client.post(get_url(field, page_name))
        field.refresh_from_db()
        assert field.status == status


def test_a_field_is_deleted_after_asking_and_only_when_it_is_empty(client: Client) -> None:
    log_in_admin(client)
    field = add()
    person = PersonFactory.create(custom_fields={NAME: "B-1"})
    answer = client.post(get_url(field, "delete"), {"post": "yes"})
    assert answer.headers["Location"] == get_url(field, "show_uses")
    assert list_messages(client.get(answer.headers["Location"]))[0].startswith("Badge cannot be deleted: 1 record has")
    person.custom_fields = {}
    save_record(record=person, actor=build_admin_actor())
    assert "Person page layout: goes on without it" in client.get(get_url(field, "delete")).content.decode()
    client.post(get_url(field, "delete"), {"post": "yes"})
    assert not CustomField.objects.exists()
