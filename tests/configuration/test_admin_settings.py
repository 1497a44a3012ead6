"""Application settings."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.configuration.models import ApplicationSettings
from tests.admin_forms import list_errors, log_in_admin, submit, submit_values
from tests.factories.configuration import map_identifiers

pytestmark = pytest.mark.django_db

SETTINGS_LIST = "/admin/configuration/applicationsettings/"


# -- Application settings -------------------------------------------------------------------------
def test_the_list_of_application_settings_leads_to_the_one_form(client: Client) -> None:
    log_in_admin(client)
    assert client.get(SETTINGS_LIST).headers["Location"] == f"{SETTINGS_LIST}add/"
    row = map_identifiers()
    assert client.get(SETTINGS_LIST).headers["Location"] == f"{SETTINGS_LIST}{row.pk}/change/"
    assert client.get(f"{SETTINGS_LIST}add/").status_code == 403


def test_application_settings_are_saved(client: Client) -> None:
    log_in_admin(client)
    submit(
        client,
        f"{SETTINGS_LIST}add/",
        form_id="applicationsettings_form",
        enable_global_crm_mapping="on",
        clinical_person_identifier=" external_id__v ",
        crm_account_identifier="External_ID_vod__c",
    )
    row = ApplicationSettings.objects.get()
    assert (row.enable_global_crm_mapping, row.clinical_person_identifier, row.crm_account_identifier) == (
        True,
        "external_id__v",
        "External_ID_vod__c",
    )


def test_an_identifier_that_is_no_field_of_person_is_refused_with_those_there_are(client: Client) -> None:
    log_in_admin(client)
    response = submit(
        client,
        f"{SETTINGS_LIST}add/",
        form_id="applicationsettings_form",
        clinical_person_identifier="shoe_size__v",
    )
    [message] = list_errors(response)["clinical_person_identifier"]
    assert message.startswith("person (person__sys) has no field 'shoe_size__v'. Its fields: uid__sys, name__v, ")


def test_a_custom_field_identifies_persons_once_it_exists_and_is_active(client: Client) -> None:
    log_in_admin(client)
    typed = {"clinical_person_identifier": "veeva_id__c"}
    response = submit_values(client, f"{SETTINGS_LIST}add/", form_id="applicationsettings_form", typed=typed)
    assert list_errors(response) == {
        "clinical_person_identifier": [
            "Person has no active custom field 'veeva_id__c'. Add it under Configuration > Custom Fields."
        ]
    }
    submit(
        client,
        reverse("admin:configuration_customfield_add"),
        form_id="customfield_form",
        of_object="person__sys",
        api_name="veeva_id__c",
        label="Veeva ID",
    )
    submit_values(client, f"{SETTINGS_LIST}add/", form_id="applicationsettings_form", typed=typed)
    assert ApplicationSettings.objects.get().clinical_person_identifier == "veeva_id__c"
