"""Application settings and security profiles."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import SecurityProfile
from ctms.accounts.policies import has_permission
from ctms.configuration.models import ApplicationSettings
from ctms.configuration.permissions import list_permissions
from tests.admin_forms import list_errors, log_in_admin, submit, submit_values
from tests.factories.accounts import SecurityProfileFactory, UserFactory
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


# -- Security profiles ----------------------------------------------------------------------------
def test_permissions_are_ticked(client: Client) -> None:
    log_in_admin(client)
    submit(
        client,
        reverse("admin:accounts_securityprofile_add"),
        form_id="securityprofile_form",
        name="Monitor",
        api_name="monitor__c",
        permissions=["study__v:read", "crm_activity__v.medical_activity__v:read", "admin:audit"],
    )
    profile = SecurityProfile.objects.get(name="Monitor")
    user = UserFactory.create(security_profile=profile)
    assert has_permission(user=user, permission="study__v:read")
    assert sorted(profile.permissions) == [
        "admin:audit",
        "crm_activity__v.medical_activity__v:read",
        "study__v:read",
    ]


def test_saving_a_profile_untouched_keeps_its_permissions(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfileFactory.create(permissions=["crm_activity__v:create", "study__v:read"])
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", description="Changed")
    profile.refresh_from_db()
    assert (profile.description, profile.permissions) == ("Changed", ["crm_activity__v:create", "study__v:read"])


def test_a_permission_that_this_version_does_not_know_stays_until_it_is_unticked(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfileFactory.create(permissions=["of_old__v:read", "study__v:read"])
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", description="Changed")
    profile.refresh_from_db()
    assert profile.permissions == ["of_old__v:read", "study__v:read"]


def test_a_permission_that_does_not_exist_is_refused(client: Client) -> None:
    log_in_admin(client)
    response = submit(
        client,
        reverse("admin:accounts_securityprofile_add"),
        form_id="securityprofile_form",
        name="Monitor",
        api_name="monitor__c",
        permissions=["everything"],
    )
    assert list_errors(response) == {
        "permissions": ["Select a valid choice. everything is not one of the available choices."]
    }


def test_the_permissions_of_the_requirement_documents_can_be_given() -> None:
    named = {
        "exception_message__sys:read",
        "exception_item__sys:read",
        "crm_activity__v.clinical_activity__v:create",
        "crm_activity__v.clinical_activity__v:edit",
        "crm_activity__v.medical_activity__v:read",
        "connection__sys:edit",
        "integration__sys:edit",
        "admin:jobs",
    }
    assert named - set(list_permissions()) == set()
