"""The choice of the field that identifies a person, and the warnings about a mapping that cannot work."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.audit.services import save_record
from ctms.configuration.models import ApplicationSettings, CustomField
from ctms.core.choices import RecordStatus
from tests.admin_forms import list_errors, list_messages, log_in_admin, read_form, submit
from tests.factories.base import build_admin_actor
from tests.factories.configuration import map_identifiers
from tests.factories.connections import ConnectionFactory
from tests.kinds import choose_values, list_custom_names

pytestmark = pytest.mark.django_db

FORM = "applicationsettings_form"


def add_custom_field(api_name: str, **values: Any) -> CustomField:
    field = CustomField(of_object="person__sys", api_name=api_name, label=api_name.removesuffix("__c"), **values)
    save_record(record=field, actor=build_admin_actor())
    return field


def get_url(row: ApplicationSettings) -> str:
    return reverse("admin:configuration_applicationsettings_change", args=(row.pk,))


def list_choices(page: Any) -> dict[str, list[str]]:
    widget = page.context["adminform"].form.fields["clinical_person_identifier"].widget
    return {group: [value for value, _ in choices] for group, choices in list(widget.choices)[1:]}


def test_the_picker_offers_the_text_fields_of_person_standard_and_custom(client: Client) -> None:
    log_in_admin(client)
    add_custom_field("veeva_id__c")
    add_custom_field("shoe_size__c", kind="number")
    add_custom_field("old_id__c", status=RecordStatus.INACTIVE)
    page = client.get(get_url(map_identifiers()))
    assert list_choices(page) == {
        "Standard fields": [
            "uid__sys",
            "name__v",
            "external_id__v",
            "first_name__sys",
            "last_name__sys",
            "email__sys",
            "phone__v",
            "language__sys",
            "npi__v",
            "person_identifier__v",
        ],
        "Custom fields": ["veeva_id__c"],
    }
    assert "External ID (external_id__v)" in page.content.decode()
    assert read_form(page, form_id=FORM)["clinical_person_identifier"] == ["external_id__v"]


def test_a_field_that_was_switched_off_stays_chosen_with_a_warning_until_another_is_chosen(client: Client) -> None:
    log_in_admin(client)
    field = add_custom_field("veeva_id__c")
    row = map_identifiers(person_field="veeva_id__c")
    field.status = RecordStatus.INACTIVE
    save_record(record=field, actor=build_admin_actor())
    page = client.get(get_url(row))
    assert list_choices(page)["Cannot identify persons"] == ["veeva_id__c"]
    [warning] = list_messages(page)
    assert warning == (
        "Clinical Person Identifier: Person has no active custom field 'veeva_id__c'. Add it under Configuration > "
        "Custom Fields. Until then no person is matched by it."
    )
    response = submit(client, get_url(row), form_id=FORM, crm_account_identifier="Veeva_ID__c")
    assert response.status_code == 302
    row.refresh_from_db()
    assert (row.clinical_person_identifier, row.crm_account_identifier) == ("veeva_id__c", "Veeva_ID__c")
    submit(client, get_url(row), form_id=FORM, clinical_person_identifier="npi__v")
    page = client.get(get_url(row))
    assert "Cannot identify persons" not in list_choices(page)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("full_name__v", "Full name (full_name__v) is no text field of Person that can be searched."),
        ("status__v", "Status (status__v) is no text field of Person that can be searched."),
    ],
)
def test_a_field_that_cannot_be_searched_as_text_is_refused(client: Client, name: str, message: str) -> None:
    log_in_admin(client)
    response = submit(client, get_url(map_identifiers()), form_id=FORM, clinical_person_identifier=name)
    [found] = list_errors(response)["clinical_person_identifier"]
    assert found == f"{message} Choose another field."
    assert read_form(response, form_id=FORM)["clinical_person_identifier"] == [name]


def find_unfit_kinds() -> list[str]:
    return [kind for kind in list_custom_names() if kind != "text"]


@pytest.mark.parametrize("kind", find_unfit_kinds())
def test_a_custom_field_of_every_kind_but_text_is_refused(client: Client, kind: str) -> None:
    log_in_admin(client)
    add_custom_field("odd__c", kind=kind, picklist_values=choose_values(kind, "a"))
    response = submit(client, get_url(map_identifiers()), form_id=FORM, clinical_person_identifier="odd__c")
    [found] = list_errors(response)["clinical_person_identifier"]
    assert found == "odd (odd__c) is no text field of Person that can be searched. Choose another field."


def test_a_mapping_that_is_enabled_but_empty_or_entered_but_not_enabled_is_told(client: Client) -> None:
    log_in_admin(client)
    row = map_identifiers()
    assert list_messages(client.get(get_url(row))) == []
    submit(client, get_url(row), form_id=FORM, crm_account_identifier="")
    _, warning = list_messages(client.get(get_url(row)))
    assert warning == (
        "The global mapping is enabled without CRM Account Identifier: a connection that has no mapping of its own "
        "fails. Enter both identifiers."
    )
    submit(client, get_url(row), form_id=FORM, enable_global_crm_mapping=None)
    _, warning = list_messages(client.get(get_url(row)))
    assert warning.startswith("The identifiers below are not in force: tick Enable Global CRM")


def test_the_mapping_of_a_connection_has_the_same_picker(client: Client) -> None:
    log_in_admin(client)
    page = client.get(reverse("admin:connections_connection_change", args=(ConnectionFactory.create().pk,)))
    form = page.context["inline_admin_formsets"][0].formset.empty_form
    assert [group for group, _ in form.fields["clinical_person_identifier"].widget.choices] == ["", "Standard fields"]
