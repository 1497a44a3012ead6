"""Users, API tokens and shared views are in the audit trail by whatever door they are written."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core import serializers
from django.core.management import call_command
from django.db import transaction
from django.test import Client, override_settings

from ctms.accounts.models import SYSTEM_USERNAME, ApiToken, User
from ctms.accounts.tokens import build_token
from ctms.audit.acting import acting_as
from ctms.audit.actors import Actor
from ctms.audit.models import AuditEntry
from ctms.configuration.services import set_application_settings
from ctms.core import tracking
from ctms.core.clock import get_now
from ctms.core.errors import DeletionRefusedError, UnauditedWriteError
from ctms.records.models import SavedView
from tests.admin_forms import fill, list_errors, log_in_admin, read_form, submit
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyAssignmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NEW_PASSWORD = "another-password-of-tests"


def list_since(number: int, **values: Any) -> list[dict[str, Any]]:
    found = AuditEntry.objects.filter(id__gt=number, **values).order_by("id")
    names = ("action", "object_name", "record_name", "actor__username", "source", "changes")
    return [dict(zip(names, values, strict=True)) for values in found.values_list(*names)]


def get_number() -> int:
    entry = AuditEntry.objects.first()
    return entry.pk if entry else 0


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="uma", first_name="Uma", last_name="User")


def change_on_the_page(user: User, client: Client) -> None:
    client.force_login(user)
    client.post("/profile/", {"time_zone": "Europe/Paris", "theme": "", "without_shortcuts": ""})


def change_password_on_the_page(user: User, client: Client) -> None:
    client.force_login(user)
    typed = {"old_password": USER_PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert client.post("/password/", typed).status_code == 302


def change_password_by_command(user: User, client: Client) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda **_: NEW_PASSWORD)
        call_command("changepassword", user.username, stdout=io.StringIO())


def save_with(user: User, **values: Any) -> None:
    for name, value in values.items():
        setattr(user, name, value)
    user.save()


def set_password(user: User, **options: Any) -> None:
    user.set_password(NEW_PASSWORD)
    user.save(**options)


def load_fixture(user: User) -> None:
    user.email = "new@example.org"
    for each in serializers.deserialize("json", serializers.serialize("json", [user])):
        each.save()


def bulk_update(user: User) -> None:
    user.email = "new@example.org"
    User.objects.bulk_update([user], ["email"])


def set_unusable(user: User) -> None:
    user.set_unusable_password()
    user.save()


EMAIL = {"email": ["uma@example.org", "new@example.org"]}
PASSWORD = {"password": ["set", "set"]}
COMMAND = (SYSTEM_USERNAME, "command")


@pytest.mark.parametrize(
    ("write", "changes", "actor"),
    [
        (lambda user, _: save_with(user, email="new@example.org"), EMAIL, COMMAND),
        (lambda user, _: User.objects.filter(pk=user.pk).update(email="new@example.org"), EMAIL, COMMAND),
        (lambda user, _: User._base_manager.filter(pk=user.pk).update(email="new@example.org"), EMAIL, COMMAND),
        (lambda user, _: bulk_update(user), EMAIL, COMMAND),
        (lambda user, _: load_fixture(user), EMAIL, COMMAND),
        (
            lambda user, _: User.objects.update_or_create(
                username=user.username, defaults={"email": "new@example.org"}
            ),
            EMAIL,
            COMMAND,
        ),
        (lambda user, _: set_password(user), PASSWORD, COMMAND),
        (lambda user, _: set_password(user, update_fields=["password"]), PASSWORD, COMMAND),
        (lambda *_: User.objects.update(password=make_password("x")), PASSWORD, COMMAND),
        (lambda user, _: set_unusable(user), {"password": ["set", ""]}, COMMAND),
        (change_password_by_command, PASSWORD, COMMAND),
        (change_password_on_the_page, PASSWORD, ("uma", "page")),
        (change_on_the_page, {"time_zone": ["UTC", "Europe/Paris"]}, ("uma", "page")),
    ],
)
def test_a_change_of_a_user_is_in_the_trail_by_whatever_door(
    user: User, client: Client, write: Callable[[User, Client], Any], changes: dict[str, Any], actor: tuple[str, str]
) -> None:
    number = get_number()
    write(user, client)
    found = [each for each in list_since(number, record_uid=user.uid) if each["action"] == "changed"]
    assert [(each["changes"], (each["actor__username"], each["source"])) for each in found] == [(changes, actor)]
    assert "md5$" not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(
    "create",
    [
        lambda: User.objects.create_user("new", "new@example.org", USER_PASSWORD),
        lambda: User.objects.create_superuser("new", "new@example.org", USER_PASSWORD),
        lambda: User.objects.bulk_create([User(username="new", email="new@example.org", password=make_password("x"))]),
        lambda: User.objects.get_or_create(
            username="new", defaults={"email": "new@example.org", "password": make_password("x")}
        ),
        lambda: User(username="new", email="new@example.org", password=make_password("x")).save(),
    ],
)
def test_a_new_user_is_in_the_trail_by_whatever_door(create: Callable[[], Any]) -> None:
    create()
    [entry] = list_since(0, record_name="new")
    assert (entry["action"], entry["object_name"]) == ("created", "accounts.user")
    assert (entry["actor__username"], entry["source"]) == COMMAND
    assert entry["changes"]["email"] == [None, "new@example.org"]
    assert entry["changes"]["password"] == [None, "set"]
    assert "md5$" not in str(entry)


def test_a_user_whom_a_command_creates_is_in_the_trail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", USER_PASSWORD)
    call_command("createsuperuser", interactive=False, username="root", email="root@example.org", stdout=io.StringIO())
    [entry] = list_since(0, record_name="root")
    assert entry["changes"]["is_superuser"] == [None, True]


def test_an_admins_changes_are_in_the_trail_as_theirs(client: Client, user: User) -> None:
    admin = log_in_admin(client)
    number = get_number()
    url = f"/admin/accounts/user/{user.pk}/change/"
    submit(client, url, form_id="user_form", email="new@example.org")
    client.post(f"/admin/accounts/user/{user.pk}/password/", {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    entries = list_since(number)
    assert {(each["actor__username"], each["source"]) for each in entries} == {(admin.username, "admin")}
    assert entries[0]["changes"] == EMAIL
    assert entries[1]["changes"]["password"] == ["set", "set"]


def test_a_log_in_is_no_change_of_the_user_nor_is_a_password_that_is_hashed_anew(client: Client, user: User) -> None:
    number = get_number()
    token, _ = build_token(user=user, name="T", days=1)
    token.save()
    hashers = [f"django.contrib.auth.hashers.{name}PasswordHasher" for name in ("PBKDF2", "MD5")]
    with override_settings(PASSWORD_HASHERS=hashers):
        client.post("/login/", {"username": user.username, "password": USER_PASSWORD})
    stored = User.objects.get(pk=user.pk)
    assert stored.password.startswith("pbkdf2_")
    assert stored.last_login is not None
    assert [each["action"] for each in list_since(number, record_uid=user.uid)] == ["logged_in"]
    assert (stored.version, stored.api_tokens.get().revoked_at) == (1, None)


def test_what_changes_nothing_is_no_change(user: User) -> None:
    number = get_number()
    user.save()
    User.objects.filter(pk=user.pk).update(email=user.email)
    assert (list_since(number), User.objects.get(pk=user.pk).version) == ([], 1)


@pytest.mark.parametrize(
    "delete",
    [
        lambda user: user.delete(),
        lambda user: User.objects.filter(pk=user.pk).delete(),
        lambda _: User._base_manager.all().delete(),
    ],
)
def test_users_and_tokens_are_never_deleted(user: User, delete: Callable[[User], Any]) -> None:
    with pytest.raises(DeletionRefusedError, match="Deactivate the user instead"), transaction.atomic():
        delete(user)
    token, _ = build_token(user=user, name="T", days=1)
    token.save()
    with pytest.raises(DeletionRefusedError, match="Revoke the token instead"), transaction.atomic():
        token.delete()
    with pytest.raises(UnauditedWriteError):
        User.objects.filter(pk=user.pk)._raw_delete("default")
    assert User.objects.filter(pk=user.pk).exists()


def test_a_write_that_does_not_tell_what_was_there_is_refused(user: User) -> None:
    with pytest.raises(UnauditedWriteError, match="bulk_update"):
        User.objects.bulk_create([User(username="una")], ignore_conflicts=True)
    with pytest.raises(ValueError, match="counted up"):
        User.objects.update(version=1)


def test_nothing_tracked_is_written_without_an_audit_trail(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "_recorders", [])
    with pytest.raises(UnauditedWriteError):
        User.objects.filter(pk=user.pk).update(email="new@example.org")
    assert User.objects.get(pk=user.pk).email == "uma@example.org"


# -- Tokens and views -----------------------------------------------------------------------------
def test_tokens_are_in_the_trail_by_whatever_door_without_their_digest(user: User) -> None:
    number = get_number()
    token, text = build_token(user=user, name="Export", days=1)
    token.save()
    ApiToken.objects.filter(pk=token.pk).update(last_used_at=get_now())
    ApiToken.objects.filter(pk=token.pk).update(revoked_at=get_now())
    entries = list_since(number, object_name="records.api_token")
    assert [each["action"] for each in entries] == ["created", "changed"]
    assert entries[0]["changes"]["name"] == [None, "Export"]
    assert list(entries[1]["changes"]) == ["revoked_at"]
    assert token.digest not in str(entries)
    assert text not in str(entries)


def test_a_new_password_and_a_deactivation_end_the_tokens_by_whatever_door(user: User) -> None:
    changes: list[dict[str, Any]] = [{"password": make_password("x")}, {"is_active": False}]
    for number, change in enumerate(changes):
        token, _ = build_token(user=user, name=f"T{number}", days=1)
        token.save()
        User.objects.filter(pk=user.pk).update(**change)
        token.refresh_from_db()
        assert token.revoked_at is not None


def test_a_view_is_in_the_trail_while_others_share_it(user: User) -> None:
    number = get_number()
    view = SavedView.objects.create(user=user, of_object="study__v", name="Mine")
    view.name = "Still mine"
    view.save()
    assert list_since(number) == []
    view.is_shared = True
    view.save()
    SavedView.objects.filter(pk=view.pk).update(name="Everybody's")
    view.delete()
    other = SavedView.objects.create(user=user, of_object="study__v", name="Shared", is_shared=True)
    SavedView.objects.filter(pk=other.pk).delete()
    entries = list_since(number, object_name="records.saved_view")
    assert [each["action"] for each in entries] == ["changed", "changed", "deleted", "created", "deleted"]
    assert entries[0]["changes"] == {"is_shared": [False, True]}
    assert entries[1]["changes"] == {"name": ["Still mine", "Everybody's"]}


# -- What is refused but through the audited writer ---------------------------------------------------
@pytest.mark.parametrize(
    "create",
    [
        SecurityProfileFactory.create,
        StudyAssignmentFactory.create,
        lambda: set_application_settings(
            clinical_person_identifier="email__sys",
            crm_account_identifier="Email__c",
            enable_global_crm_mapping=True,
            actor=build_admin_actor(),
        ),
    ],
)
def test_profiles_assignments_and_settings_are_written_through_the_audited_writer_alone(
    create: Callable[[], Any],
) -> None:
    record = create()
    rows = type(record).objects.filter(pk=record.pk)
    for write in (record.save, record.delete, rows.delete, lambda: rows.update(version=7)):
        with pytest.raises(UnauditedWriteError):
            write()
    assert AuditEntry.objects.filter(record_uid=record.uid).exists()


# -- Who acts, and versions -----------------------------------------------------------------------
def test_who_acts_is_whoever_is_named_and_afterwards_the_one_before(user: User) -> None:
    other = UserFactory.create(username="other")
    number = get_number()
    with acting_as(Actor(user=other, source="job", reference="run 7")):
        User.objects.filter(pk=user.pk).update(email="a@example.org")
    User.objects.filter(pk=user.pk).update(email="b@example.org")
    actors = [(each["actor__username"], each["source"]) for each in list_since(number, record_uid=user.uid)]
    assert actors == [("other", "job"), COMMAND]


def test_a_stale_form_does_not_undo_another_admins_change(client: Client, user: User) -> None:
    log_in_admin(client)
    url = f"/admin/accounts/user/{user.pk}/change/"
    opened = read_form(client.get(url), form_id="user_form")
    profile = SecurityProfileFactory.create()
    User.objects.filter(pk=user.pk).update(security_profile=profile)
    response = client.post(url, fill(opened, typed={"email": "typed@example.org"}))
    [message] = list_errors(response)["__all__"]
    assert message.startswith("Uma User was changed by somebody else after you opened this page (version 2, yours is 1")
    assert read_form(response, form_id="user_form")["email"] == ["typed@example.org"]
    stored = User.objects.get(pk=user.pk)
    assert (stored.security_profile, stored.email) == (profile, "uma@example.org")


def test_a_form_that_lost_the_users_version_is_refused(client: Client, user: User) -> None:
    log_in_admin(client)
    url = f"/admin/accounts/user/{user.pk}/change/"
    response = submit(client, url, form_id="user_form", email="new@example.org", read_version=None)
    [message] = list_errors(response)["__all__"]
    assert message.startswith("The form came without the user's version.")


def test_versions_go_up_and_no_old_copy_sets_them_back(user: User) -> None:
    old = User.objects.get(pk=user.pk)
    User.objects.filter(pk=user.pk).update(email="a@example.org")
    User.objects.filter(pk=user.pk).update(email="b@example.org")
    old.last_name = "Other"
    old.save()
    assert User.objects.get(pk=user.pk).version == 4
