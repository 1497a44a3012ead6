"""The security profiles that the Vault delivers."""

from __future__ import annotations

import pytest

from ctms.accounts.models import SecurityProfile
from ctms.accounts.policies import has_permission
from ctms.audit.models import AuditEntry
from ctms.audit.services import delete_record, save_record
from ctms.configuration.permissions import list_permissions
from ctms.configuration.profiles import deliver_profiles, list_delivered_profiles
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

NAMES = [
    "CRA",
    "Connection Admin",
    "Inspector",
    "Integration",
    "Read Only",
    "Study Manager",
    "System Admin",
    "Vault Owner",
]


def may(api_name: str, *asked: str) -> list[str]:
    user = UserFactory.create(security_profile=SecurityProfile.objects.get(api_name=api_name))
    return [permission for permission in asked if has_permission(user=user, permission=permission)]


def test_a_new_vault_has_them_each_with_one_sentence() -> None:
    profiles = SecurityProfile.objects.all()
    assert sorted(profile.name for profile in profiles) == NAMES
    assert [profile.name for profile in profiles if profile.description.count(".") != 1] == []
    entry = AuditEntry.objects.get(record_uid=profiles[0].uid)
    assert (entry.source, entry.reason) == ("command", "Delivered with the Vault")


def test_they_hold_only_permissions_that_exist() -> None:
    known = set(list_permissions())
    assert [name for each in list_delivered_profiles() for name in each.permissions if name not in known] == []


@pytest.mark.parametrize(
    ("api_name", "expected"),
    [
        ("vault_owner__v", ["study__v:delete", "crm_activity__v:create", "admin:security", "admin:audit"]),
        ("system_admin__v", ["admin:security", "admin:audit"]),
        ("connection_admin__v", []),
        ("study_manager__v", ["study__v:delete", "crm_activity__v:create"]),
        ("cra__v", ["crm_activity__v:create"]),
        ("read_only__v", []),
        ("inspector__v", ["admin:audit"]),
        ("integration__v", ["crm_activity__v:create"]),
    ],
)
def test_each_may_do_its_work_and_no_more(api_name: str, expected: list[str]) -> None:
    asked = ["study__v:delete", "crm_activity__v:create", "admin:security", "admin:audit"]
    assert may(api_name, "study__v:read", *asked) == ["study__v:read", *expected]


def test_a_cra_reads_why_a_record_was_not_transferred_and_nothing_of_whole_runs() -> None:
    asked = (
        "exception_item__sys:read",
        "exception_message__sys:read",
        "exception_item__sys:edit",
        "integration__sys:read",
    )
    assert may("cra__v", *asked) == ["exception_item__sys:read"]
    assert may("study_manager__v", *asked) == ["exception_item__sys:read", "exception_message__sys:read"]


@pytest.mark.parametrize("api_name", ["read_only__v", "inspector__v"])
def test_who_only_reads_holds_no_other_permission_of_an_object(api_name: str) -> None:
    permissions = SecurityProfile.objects.get(api_name=api_name).permissions
    assert [name for name in permissions if not name.startswith("admin:") and not name.endswith(":read")] == []


def test_a_profile_that_was_changed_stays_as_it_is_and_one_that_is_missing_comes() -> None:
    actor = build_admin_actor()
    changed = SecurityProfile.objects.get(api_name="cra__v")
    changed.name, changed.permissions = "Monitor", ["study__v:read"]
    save_record(record=changed, actor=actor)
    delete_record(record=SecurityProfile.objects.get(api_name="integration__v"), actor=actor)
    written = AuditEntry.objects.count()
    deliver_profiles(actor=actor)
    deliver_profiles(actor=actor)
    changed.refresh_from_db()
    assert (changed.name, changed.permissions, changed.version) == ("Monitor", ["study__v:read"], 2)
    assert SecurityProfile.objects.filter(api_name="integration__v").count() == 1
    assert AuditEntry.objects.count() == written + 1


def test_a_profile_of_the_same_name_keeps_it() -> None:
    actor = build_admin_actor()
    delete_record(record=SecurityProfile.objects.get(api_name="read_only__v"), actor=actor)
    own = SecurityProfileFactory.create(name="Read Only", api_name="read_only__c")
    deliver_profiles(actor=actor)
    assert SecurityProfile.objects.get(api_name="read_only__v").name == "Read Only (delivered)"
    own.refresh_from_db()
    assert own.name == "Read Only"
