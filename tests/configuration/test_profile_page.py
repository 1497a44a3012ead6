"""The console page of security profiles."""

from __future__ import annotations

from html import unescape

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import SecurityProfile
from ctms.accounts.policies import has_permission
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.permissions import add_reading, list_areas, list_permissions
from tests.admin_forms import list_errors, list_messages, log_in_admin, read_form, submit
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db


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
    permissions = ["crm_activity__v:create", "crm_activity__v:read", "study__v:read"]
    profile = SecurityProfileFactory.create(permissions=permissions)
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", description="Changed")
    profile.refresh_from_db()
    assert (profile.description, profile.permissions) == ("Changed", permissions)


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
        "permissions": ["everything: there is no such permission. Tick those of this page."]
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


@pytest.mark.parametrize(
    ("ticked", "expected"),
    [
        (["study__v:edit"], ["study__v:edit", "study__v:read"]),
        (["study__v:delete", "study__v:read"], ["study__v:delete", "study__v:read"]),
        (
            ["crm_activity__v.clinical_activity__v:create"],
            ["crm_activity__v.clinical_activity__v:create", "crm_activity__v.clinical_activity__v:read"],
        ),
        (
            ["crm_activity__v.clinical_activity__v:create", "crm_activity__v:read"],
            ["crm_activity__v.clinical_activity__v:create", "crm_activity__v:read"],
        ),
        (["admin:jobs", "odd"], ["admin:jobs", "odd"]),
    ],
)
def test_create_edit_and_delete_bring_read(ticked: list[str], expected: list[str]) -> None:
    assert add_reading(ticked) == expected


def test_the_page_says_that_read_was_ticked_too(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfileFactory.create()
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", permissions=["study__v:edit"])
    profile.refresh_from_db()
    assert profile.permissions == ["study__v:edit", "study__v:read"]
    messages = list_messages(client.get(reverse("admin:accounts_securityprofile_changelist")))
    assert "Read was ticked, too, where Create, Edit or Delete needs it: study__v:read." in messages


def test_an_object_of_another_app_and_each_area_with_its_sentence_are_there_by_themselves(client: Client) -> None:
    log_in_admin(client)
    page = unescape(client.get(reverse("admin:accounts_securityprofile_add")).content.decode())
    assert 'value="training__v:delete"' in page
    assert [area.label for area in list_areas() if area.explanation not in page] == []


def test_a_copy_has_the_permissions_of_its_source_and_another_name(client: Client) -> None:
    log_in_admin(client)
    source = SecurityProfileFactory.create(
        name="Monitor", permissions=["of_old__v:read", "study__v:read"], sees_all_studies=True
    )
    action = reverse("admin:accounts_securityprofile_copy_profile", args=(source.pk,))
    url = client.get(action).headers["Location"]
    assert read_form(client.get(url), form_id="securityprofile_form")["name"] == ["Monitor (copy)"]
    submit(client, url, form_id="securityprofile_form", api_name="monitor_2__c")
    copy = SecurityProfile.objects.get(api_name="monitor_2__c")
    assert (copy.name, copy.permissions, copy.sees_all_studies) == ("Monitor (copy)", source.permissions, True)


def test_the_audit_trail_names_each_permission_that_was_added_or_removed(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfileFactory.create(permissions=["person__sys:read", "study__v:read"])
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", permissions=["study__v:read", "admin:audit"])
    entry = AuditEntry.objects.filter(record_uid=profile.uid)[0]
    page = client.get(reverse("admin:audit_auditentry_change", args=(entry.pk,))).content.decode()
    assert "<td>Removed: person__sys:read</td><td>Added: admin:audit</td>" in page


def test_a_delivered_profile_is_neither_deleted_nor_renamed_for_the_next_update(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfile.objects.get(api_name="cra__v")
    url = reverse("admin:accounts_securityprofile_delete", args=(profile.pk,))
    assert client.post(url, {"post": "yes"}).status_code == 403
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    submit(client, url, form_id="securityprofile_form", api_name="other__c", name="Monitor")
    profile.refresh_from_db()
    assert (profile.api_name, profile.name) == ("cra__v", "Monitor")


def test_a_delivered_profile_says_what_this_version_delivers_besides(client: Client) -> None:
    log_in_admin(client)
    profile = SecurityProfile.objects.get(api_name="cra__v")
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    assert list_messages(client.get(url)) == []
    later = ("activity_template__v:read", "exception_item__sys:read")
    profile.permissions = [each for each in profile.permissions if each not in later]
    save_record(record=profile, actor=build_admin_actor())
    [told] = list_messages(client.get(url))
    assert told == (
        "This version delivers CRA with more than it has here: Activity Template: read, User Exception Item: read. "
        "Tick what its users are to have."
    )
    profile.permissions = []
    save_record(record=profile, actor=build_admin_actor())
    [told] = list_messages(client.get(url))
    assert " more. Tick what" in told
    own = SecurityProfileFactory.create(permissions=[])
    assert list_messages(client.get(reverse("admin:accounts_securityprofile_change", args=(own.pk,)))) == []
