from __future__ import annotations

import pytest
from django.apps import apps
from django.test import Client

from ctms.accounts.models import User
from ctms.accounts.policies import allows_object_type, has_permission, list_permitted_types
from ctms.core.choices import RecordStatus
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db


def create_user(*permissions: str, **values: object) -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=list(permissions)), **values)


def test_a_user_may_do_what_the_profile_says_and_nothing_else() -> None:
    user = create_user("study__v:read", "admin:jobs")
    asked = ["study__v:read", "study__v:edit", "study__v:rea", "study__v", "", "admin:jobs", "admin:security"]
    assert [name for name in asked if has_permission(user=user, permission=name)] == ["study__v:read", "admin:jobs"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, False),
        ({"is_staff": True}, False),
        ({"is_superuser": True}, True),
        ({"is_superuser": True, "is_active": False}, False),
    ],
)
def test_a_user_without_profile_may_nothing_unless_superuser(values: dict[str, bool], expected: bool) -> None:
    user = UserFactory.create(**values)
    assert has_permission(user=user, permission="study__v:read") is expected
    assert user.has_perm("clinical.view_study") is expected


def test_an_inactive_user_or_profile_may_nothing() -> None:
    inactive_user = create_user("study__v:read", is_active=False)
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], status=RecordStatus.INACTIVE)
    for user in (inactive_user, UserFactory.create(security_profile=profile)):
        assert has_permission(user=user, permission="study__v:read") is False
        assert user.has_module_perms("clinical") is False


def test_djangos_questions_are_answered_by_the_profile() -> None:
    user = create_user("study__v:read", "study__v:edit", "admin:jobs")
    asked = [
        *(f"clinical.{action}_study" for action in ("view", "add", "change", "delete")),
        "clinical.view_person",
        "jobs.change_jobdefinition",
        "accounts.view_user",
        "clinical.view_nothing",
        "clinical.study",
        "nowhere.view_study",
        "",
    ]
    assert [name for name in asked if user.has_perm(name)] == [
        "clinical.view_study",
        "clinical.change_study",
        "jobs.change_jobdefinition",
    ]


@pytest.mark.parametrize("action", ["view", "add", "change", "delete"])
def test_every_model_has_an_answer_for_a_user_who_may_nothing(action: str) -> None:
    user = create_user()
    allowed = [m for m in apps.get_models() if user.has_perm(f"{m._meta.app_label}.{action}_{m._meta.model_name}")]
    assert allowed == []
    assert [config.label for config in apps.get_app_configs() if user.has_module_perms(config.label)] == []


def test_a_permission_for_one_object_type_is_none_for_the_others() -> None:
    user = create_user("crm_activity__v.clinical_activity__v:edit")
    types = ["clinical_activity__v", "medical_activity__v"]
    allowed = [
        (action, object_type)
        for action in ("read", "edit")
        for object_type in types
        if allows_object_type(user=user, object_name="crm_activity__v", object_type=object_type, action=action)
    ]
    assert allowed == [("edit", "clinical_activity__v")]
    assert list_permitted_types(user=user, object_name="crm_activity__v", action="edit") == types[:1]
    assert list_permitted_types(user=user, object_name="crm_activity__v") == []


def test_users_have_neither_groups_nor_permissions_of_their_own() -> None:
    names = {field.name for field in User._meta.get_fields()}
    assert names & {"groups", "user_permissions"} == set()


def test_every_door_of_django_asks_the_profile_alone() -> None:
    user = create_user("study__v:read", "study__v:edit")
    expected = {"clinical.view_study", "clinical.change_study"}
    assert user.get_all_permissions() == expected
    assert (user.get_user_permissions(), user.get_group_permissions()) == (set(), set())
    assert user.has_perms(expected)
    assert not user.has_perms([*expected, "clinical.delete_study"])
    assert UserFactory.create(is_superuser=True).get_all_permissions() > expected
    assert create_user("study__v:read", is_active=False).get_all_permissions() == set()


def test_no_page_of_the_console_shows_groups_or_permissions_of_a_user(client: Client) -> None:
    log_in_admin(client)
    for url in ("/admin/accounts/user/add/", f"/admin/accounts/user/{create_user().pk}/change/"):
        page = client.get(url).content.decode()
        assert ('name="groups"' in page, 'name="user_permissions"' in page) == (False, False)
    assert client.get("/admin/auth/group/").status_code == 404
