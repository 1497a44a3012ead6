"""Nobody raises what they may do: neither by their own profile, nor by another, nor through another user."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import SecurityProfile, User
from ctms.audit.services import save_record
from ctms.core.choices import RecordStatus
from ctms.core.clock import get_now
from tests.admin_forms import list_errors, list_messages, log_in_admin, submit
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

PROFILE_FORM, USER_FORM = "securityprofile_form", "user_form"


@pytest.fixture
def officer(client: Client) -> User:
    """A user of System Admin, who manages users and profiles, and reads records without changing them."""
    profile = SecurityProfile.objects.get(api_name="system_admin__v")
    user = UserFactory.create(is_staff=True, security_profile=profile)
    client.force_login(user)
    return user


def save_profile(client: Client, profile: SecurityProfile, **typed: Any) -> Any:
    url = reverse("admin:accounts_securityprofile_change", args=(profile.pk,))
    return submit(client, url, form_id=PROFILE_FORM, **typed)


def save_user(client: Client, user: User, **typed: Any) -> Any:
    return submit(client, reverse("admin:accounts_user_change", args=(user.pk,)), form_id=USER_FORM, **typed)


def get_profile(api_name: str) -> SecurityProfile:
    return SecurityProfile.objects.get(api_name=api_name)


# -- Profiles -------------------------------------------------------------------------------------
def test_nobody_changes_their_own_profile(client: Client, officer: User) -> None:
    own = get_profile("system_admin__v")
    response = save_profile(client, own, description="Mine")
    [message] = list_errors(response)["permissions"]
    assert message.startswith("This is your own security profile. Ask another admin to change it")
    own.refresh_from_db()
    assert own.description != "Mine"
    page = client.get(reverse("admin:accounts_securityprofile_change", args=(own.pk,)))
    assert list_messages(page) == [message]


def test_nobody_writes_into_a_profile_what_they_do_not_hold(client: Client, officer: User) -> None:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"])
    response = save_profile(client, profile, permissions=["study__v:read", "study__v:delete"])
    assert list_errors(response) == {
        "permissions": [
            "You cannot give what you do not have: study__v:delete. Untick them, or ask somebody who holds them."
        ]
    }
    assert save_profile(client, profile, permissions=["study__v:read", "admin:jobs"]).status_code == 302
    profile.refresh_from_db()
    assert profile.permissions == ["admin:jobs", "study__v:read"]


def test_what_a_profile_held_before_stays_when_something_else_is_changed(client: Client, officer: User) -> None:
    profile = get_profile("cra__v")
    assert save_profile(client, profile, description="Monitors sites.").status_code == 302
    profile.refresh_from_db()
    assert "crm_activity__v:edit" in profile.permissions


def test_who_sees_some_studies_gives_nobody_all(client: Client) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:security"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    response = save_profile(client, SecurityProfileFactory.create(), sees_all_studies="on")
    assert list_errors(response)["permissions"][0].startswith("You cannot give what you do not have: Sees all studies.")


def test_activating_a_profile_gives_what_it_holds(client: Client, officer: User) -> None:
    profile = SecurityProfileFactory.create(
        permissions=["study__v:read", "study__v:edit"], status=RecordStatus.INACTIVE
    )
    response = save_profile(client, profile, status=RecordStatus.ACTIVE)
    assert "study__v:edit" in list_errors(response)["permissions"][0]


def test_a_superuser_is_exempt(client: Client) -> None:
    profile = SecurityProfileFactory.create()
    log_in_admin(client, security_profile=profile)
    assert save_profile(client, profile, permissions=["study__v:read"], sees_all_studies="on").status_code == 302


# -- Users ----------------------------------------------------------------------------------------
def test_nobody_changes_which_profile_they_have(client: Client, officer: User) -> None:
    save_user(client, officer, security_profile=str(get_profile("vault_owner__v").pk), first_name="Changed")
    officer.refresh_from_db()
    assert (officer.first_name, officer.security_profile) == ("Changed", get_profile("system_admin__v"))


def test_a_profile_with_areas_of_the_console_is_given_by_who_holds_all_of_it(client: Client, officer: User) -> None:
    other = UserFactory.create()
    response = save_user(client, other, security_profile=str(get_profile("vault_owner__v").pk))
    [message] = list_errors(response)["security_profile"]
    assert message.startswith("You cannot give what you do not have: activity_template__v:create")
    assert message.endswith("Choose another profile, or ask somebody who holds them.")
    for api_name in ("cra__v", "study_manager__v", "connection_admin__v", "system_admin__v"):
        assert save_user(client, other, security_profile=str(get_profile(api_name).pk)).status_code == 302
        other.refresh_from_db()
        assert other.security_profile == get_profile(api_name)


def test_a_new_user_gets_no_profile_that_the_admin_could_not_give(client: Client, officer: User) -> None:
    typed = {"username": "helper", "email": "helper@example.com"}
    profile = str(get_profile("vault_owner__v").pk)
    response = submit(client, reverse("admin:accounts_user_add"), form_id=USER_FORM, security_profile=profile, **typed)
    assert list(list_errors(response)) == ["security_profile"]
    assert not User.objects.filter(username="helper").exists()


def test_a_user_who_may_more_is_not_changed_and_gets_no_new_password(client: Client, officer: User) -> None:
    owner = UserFactory.create(security_profile=get_profile("vault_owner__v"))
    assert client.post(reverse("admin:accounts_user_change", args=(owner.pk,)), {"is_active": ""}).status_code == 403
    url = reverse("admin:auth_user_password_change", args=(owner.pk,))
    assert client.post(url, {"password1": "a-new-one-of-2026", "password2": "a-new-one-of-2026"}).status_code == 403
    owner.refresh_from_db()
    assert (owner.is_active, owner.check_password(USER_PASSWORD)) == (True, True)


def test_who_could_not_give_a_profile_does_not_change_it_either(client: Client, officer: User) -> None:
    owner = UserFactory.create(security_profile=get_profile("vault_owner__v"))
    response = save_profile(client, get_profile("vault_owner__v"), status=RecordStatus.INACTIVE)
    [message] = list_errors(response)["permissions"]
    assert message.startswith("You cannot give what you do not have")
    assert get_profile("vault_owner__v").status == RecordStatus.ACTIVE
    # An Inactive one can be set to Active later: it counts as if it was.
    profile = get_profile("vault_owner__v")
    profile.status = RecordStatus.INACTIVE
    save_record(record=profile, actor=build_admin_actor())
    puppet = UserFactory.create(security_profile=None)
    assert "security_profile" in list_errors(save_user(client, puppet, security_profile=str(profile.pk)))
    assert (
        client.post(reverse("admin:accounts_user_change", args=(owner.pk,)), {"email": "x@example.org"}).status_code
        == 403
    )


def test_rights_to_write_the_set_up_are_given_by_who_holds_them_alone(client: Client) -> None:
    officer = SecurityProfileFactory.create(permissions=["admin:security"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=officer))
    puppet = UserFactory.create(security_profile=None)
    for permissions, given in (
        (["connection__sys:read"], True),
        (["connection__sys:read", "connection__sys:edit"], False),
    ):
        profile = SecurityProfileFactory.create(permissions=permissions)
        response = save_user(client, puppet, security_profile=str(profile.pk))
        assert (response.status_code == 302) is given


def test_nobody_extends_their_own_account(client: Client, officer: User) -> None:
    officer.valid_until = get_now().date() + dt.timedelta(days=1)  # not today, which may end meanwhile
    officer.save()
    save_user(client, officer, email="new@example.org")
    client.post(reverse("admin:accounts_user_change", args=(officer.pk,)), {"valid_until": ""})
    officer.refresh_from_db()
    assert officer.valid_until is not None


def test_the_own_password_is_not_set_without_the_present_one_by_another_spelling_of_the_address(client: Client) -> None:
    user = log_in_admin(client)
    url = f"/admin/accounts/user/0{user.pk}/password/"
    response = client.post(url, {"password1": "a-new-one-of-2026", "password2": "a-new-one-of-2026"})
    assert response.headers["Location"] == "/password/"
    user.refresh_from_db()
    assert not user.check_password("a-new-one-of-2026")
