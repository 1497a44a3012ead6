"""*What may this user do*: the answers of the policies, each with its ground."""

from __future__ import annotations

import uuid
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import SecurityProfile, User
from ctms.accounts.policies import has_permission
from ctms.clinical.explanation import explain_areas, explain_objects, explain_record
from ctms.configuration.permissions import ACTIONS
from ctms.configuration.profiles import list_delivered_profiles
from ctms.core.choices import RecordStatus
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.activities import ActivityFactory
from tests.factories.base import get_admin_user
from tests.factories.clinical import StudyAssignmentFactory, StudyFactory, StudySiteFactory

pytestmark = pytest.mark.django_db


def create_user(*permissions: str, **values: Any) -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)), **values)


def read_grounds(user: User, label: str) -> list[str]:
    [row] = [each for each in explain_objects(user=user) if each.row.label == label]
    return [ground.why if ground.is_allowed else "" for ground in row.grounds]


def ask(user: User, record: Any) -> tuple[bool, str]:
    verdict = explain_record(user=user, asker=get_admin_user(), uid=record.uid)
    assert verdict is not None
    return verdict.is_visible, verdict.why


@pytest.mark.parametrize("api_name", [each.api_name for each in list_delivered_profiles()])
def test_each_answer_is_that_of_the_policies(api_name: str) -> None:
    user = UserFactory.create(security_profile=SecurityProfile.objects.get(api_name=api_name))
    explained = {
        permission: ground.is_allowed
        for each in explain_objects(user=user)
        if not each.row.is_narrowed
        for permission, ground in zip(each.row.permissions, each.grounds, strict=True)
    } | {area.permission: ground.is_allowed for area, ground in explain_areas(user=user)}
    assert explained == {name: has_permission(user=user, permission=name) for name in explained}
    assert len(explained) > len(ACTIONS)


def test_the_ground_is_named() -> None:
    assert read_grounds(create_user("study__v:read"), "Study") == ["Profile", "", "", ""]
    assert read_grounds(create_user("admin:connections"), "Connection") == ["Comes with admin:connections"] * 4
    assert read_grounds(UserFactory.create(is_superuser=True), "Study") == ["Superuser"] * 4
    assert read_grounds(create_user("study__v:read", is_active=False), "Study") == [""] * 4
    whole, narrowed = create_user("crm_activity__v:read"), create_user("crm_activity__v.medical_activity__v:read")
    assert read_grounds(whole, "Medical Activity") == ["As the object", "", "", ""]
    assert read_grounds(narrowed, "Medical Activity") == ["Profile", "", "", ""]
    assert read_grounds(UserFactory.create(is_superuser=True), "Medical Activity") == ["Superuser", "", "", ""]
    assert read_grounds(narrowed, "Activity") == ["", "", "", ""]


def test_an_inactive_profile_is_the_ground_of_every_refusal() -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], status=RecordStatus.INACTIVE)
    rows = explain_objects(user=UserFactory.create(security_profile=profile))
    grounds = {ground.why for each in rows if not each.row.is_narrowed for ground in each.grounds}
    assert grounds == {"The security profile is Inactive"}


def test_of_a_record_it_says_whether_the_user_sees_it_and_why() -> None:
    site = StudySiteFactory.create()
    record = ActivityFactory.create(site=site)
    assert ask(create_user(), record) == (
        False,
        "may not read activities: the security profile does not hold it",
    )
    other_type = create_user("crm_activity__v.medical_activity__v:read")
    assert ask(other_type, record) == (False, "may not read activities of the type Clinical Activity")
    reader = create_user("crm_activity__v:read")
    assert ask(reader, record) == (False, f"is not assigned to {site.study}")
    StudyAssignmentFactory.create(user=reader, study=site.study)
    assert ask(reader, record) == (True, f"is assigned to {site.study}")
    of_no_study = ActivityFactory.create()
    assert ask(reader, of_no_study) == (False, "did not enter it, and it belongs to no study")
    assert ask(create_user("person__sys:read"), of_no_study.person) == (
        False,
        "sees no record of a study that names it, and did not enter it",
    )
    assert ask(UserFactory.create(is_superuser=True), record) == (True, "sees all studies (Superuser)")


def test_who_does_not_see_a_record_is_not_told_that_it_exists() -> None:
    record = ActivityFactory.create()
    asker = create_user("admin:security", "crm_activity__v:read")
    assert explain_record(user=get_admin_user(), asker=asker, uid=record.uid) is None
    assert explain_record(user=asker, asker=get_admin_user(), uid=uuid.uuid4()) is None


# -- The page -------------------------------------------------------------------------------------
def open_page(client: Client, user: User, **asked: str) -> str:
    response = client.get(reverse("admin:accounts_user_show_access", args=(user.pk,)), asked)
    assert response.status_code == 200
    return unescape(response.content.decode())


def test_the_page_is_reached_from_that_of_the_user(client: Client) -> None:
    log_in_admin(client)
    user = create_user("study__v:read")
    page = client.get(reverse("admin:accounts_user_change", args=(user.pk,)))
    assert reverse("admin:accounts_user_show_access", args=(user.pk,)) in page.content.decode()


def test_the_page_names_the_studies(client: Client) -> None:
    log_in_admin(client)
    user = create_user("study__v:read")
    assert "None: the user is assigned to no study." in open_page(client, user)
    study = StudyAssignmentFactory.create(user=user).study
    assert f">{study}</a>" in open_page(client, user)
    assert "All studies (Superuser)." in open_page(client, UserFactory.create(is_superuser=True))


def test_the_page_does_not_name_studies_that_the_admin_does_not_see(client: Client) -> None:
    admin = create_user("admin:security", is_staff=True)
    shared, hidden = StudyAssignmentFactory.create(user=admin).study, StudyFactory.create(name="HIDDEN-1")
    user = UserFactory.create()
    for study in (shared, hidden):
        StudyAssignmentFactory.create(user=user, study=study)
    client.force_login(admin)
    page = open_page(client, user)
    assert shared.name in page
    assert hidden.name not in page


def test_the_page_answers_for_a_record_and_names_what_is_wrong_with_a_uid(client: Client) -> None:
    log_in_admin(client)
    user = create_user("crm_activity__v:read")
    record = ActivityFactory.create(site=StudySiteFactory.create())
    assert "is not assigned to" in open_page(client, user, record=str(record.uid))
    assert "There is no record of this UID, or you do not see it yourself." in open_page(
        client, user, record=str(uuid.uuid4())
    )
    assert "UID: 32 hexadecimal digits" in open_page(client, user, record="x")


def test_who_may_not_see_users_may_not_ask(client: Client) -> None:
    client.force_login(create_user("study__v:read", "admin:jobs", is_staff=True))
    url = reverse("admin:accounts_user_show_access", args=(UserFactory.create().pk,))
    assert client.get(url).status_code in (302, 403)
