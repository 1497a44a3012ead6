"""API tokens: whom they authenticate, how long, and that only their digest is stored."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client

from ctms.accounts.models import ApiToken, User
from ctms.accounts.tokens import InvalidTokenError, find_token, list_tokens
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token, revoke_token
from ctms.audit.models import AuditEntry
from ctms.audit.users import save_user
from tests.admin_forms import log_in_admin
from tests.factories.accounts import USER_PASSWORD, UserFactory

pytestmark = pytest.mark.django_db

NEW_PASSWORD = "a-new-password-of-tests-alone"
NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)


def act_as(user: User) -> Actor:
    return Actor(user=user, source="page")


def explain(text: str) -> str:
    with pytest.raises(InvalidTokenError) as raised:
        find_token(text)
    return str(raised.value)


def test_a_token_acts_as_its_user_and_only_its_digest_is_kept() -> None:
    user = UserFactory.create()
    token, text = create_token(name="Export", days=30, actor=act_as(user))
    assert find_token(text).user == user
    assert (text[:6], len(text)) == ("vault_", 49)
    stored = ApiToken.objects.values().get()
    assert stored["digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert text not in str(stored)
    assert token.expires_at - token.created_at < dt.timedelta(days=30)


def test_no_two_tokens_are_the_same() -> None:
    actor = act_as(UserFactory.create())
    assert len({create_token(name=str(number), days=1, actor=actor)[1] for number in range(20)}) == 20


@pytest.mark.parametrize("text", ["", "vault_", "vault_x", "nobody's", "ä\udcff"])
def test_an_unknown_token_opens_nothing(text: str) -> None:
    assert explain(text) == "This token is unknown. Create one on your profile page."


def test_a_token_expires_to_the_second() -> None:
    user = UserFactory.create()
    with time_machine.travel(NOW, tick=False):
        _, text = create_token(name="Export", days=1, actor=act_as(user))
    with time_machine.travel(NOW + dt.timedelta(days=1, seconds=-1), tick=False):
        assert find_token(text).user == user
    with time_machine.travel(NOW + dt.timedelta(days=1), tick=False):
        assert explain(text) == "This token has expired. Create another on your profile page."


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_lives_for_a_day_to_a_year(days: int) -> None:
    with pytest.raises(ValueError, match="1 to 365 days"):
        create_token(name="Export", days=days, actor=act_as(UserFactory.create()))


def test_a_revoked_token_opens_nothing_and_frees_its_name() -> None:
    actor = act_as(UserFactory.create())
    token, text = create_token(name="Export", days=1, actor=actor)
    with pytest.raises(ValidationError) as raised:
        create_token(name="Export", days=1, actor=actor)
    assert raised.value.messages == ["Name: you have a token of this name. Choose another, or revoke that one."]
    assert (revoke_token(token=token, actor=actor), revoke_token(token=token, actor=actor)) == (True, False)
    assert explain(text) == "This token was revoked. Create another on your profile page."
    again, _ = create_token(name="Export", days=1, actor=actor)
    assert list(list_tokens(user=actor.user)) == [again]


def test_a_token_opens_nothing_while_its_user_has_to_change_the_password() -> None:
    """Nor do their pages and their calendar feed: an admin may have ticked it because somebody else got in."""
    user = UserFactory.create()
    _, text = create_token(name="Export", days=1, actor=act_as(user))
    user.must_change_password = True
    save_user(user=user, actor=act_as(user), fields=["must_change_password"])
    assert explain(text).startswith("The user of this token has to choose a new password first")


def test_a_token_of_an_inactive_user_opens_nothing() -> None:
    user = UserFactory.create()
    _, text = create_token(name="Export", days=1, actor=act_as(user))
    user.is_active = False
    user.save()
    assert explain(text) == "The user of this token is inactive. Ask an admin."


def test_use_is_noted_once_a_minute() -> None:
    _, text = create_token(name="Export", days=1, actor=act_as(UserFactory.create()))
    start = dt.datetime.now(tz=dt.UTC).replace(microsecond=0)
    noted = []
    for seconds in (0, 59, 60, 90, 121):
        with time_machine.travel(start + dt.timedelta(seconds=seconds), tick=False):
            find_token(text)
        used = ApiToken.objects.get().last_used_at
        assert used is not None
        noted.append((used - start).total_seconds())
    assert noted == [0, 0, 60, 60, 121]


def test_creation_and_revocation_are_in_the_audit_trail_without_the_token() -> None:
    user = UserFactory.create()
    token, text = create_token(name="Export", days=1, actor=act_as(user))
    revoke_token(token=token, actor=act_as(user))
    entries = AuditEntry.objects.filter(record_uid=token.uid).order_by("id")
    assert [(each.action, each.actor, sorted(each.changes)) for each in entries] == [
        ("created", user, ["expires_at", "name", "scope", "user"]),
        ("changed", user, ["revoked_at"]),
    ]
    assert text not in str(list(entries.values()))
    assert token.digest not in str(list(entries.values()))


# -- A new password -------------------------------------------------------------------------------
def change_on_the_page(client: Client, user: User) -> None:
    client.force_login(user)
    typed = {"old_password": USER_PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert client.post("/password/", typed).status_code == 302


def reset_in_the_console(client: Client, user: User) -> None:
    log_in_admin(client)
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD}
    assert client.post(f"/admin/accounts/user/{user.pk}/password/", typed).status_code == 302


def change_by_command(_client: Client, user: User) -> None:
    with patch("getpass.getpass", return_value=NEW_PASSWORD):
        call_command("changepassword", user.username)


@pytest.mark.parametrize("change", [change_on_the_page, reset_in_the_console, change_by_command])
def test_a_new_password_ends_all_tokens_of_its_user(client: Client, change: Callable[[Client, User], None]) -> None:
    user, other = UserFactory.create(), UserFactory.create()
    _, text = create_token(name="Export", days=30, actor=act_as(user))
    _, others = create_token(name="Export", days=30, actor=act_as(other))
    change(client, user)
    user.refresh_from_db()
    assert user.check_password(NEW_PASSWORD)
    assert explain(text) == "This token was revoked. Create another on your profile page."
    assert find_token(others).user == other


def test_a_password_that_is_hashed_anew_at_a_log_in_ends_none(client: Client, settings: Any) -> None:
    user = UserFactory.create()
    _, text = create_token(name="Export", days=30, actor=act_as(user))
    before = user.password
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher", *settings.PASSWORD_HASHERS]
    assert client.post("/login/", {"username": user.username, "password": USER_PASSWORD}).status_code == 302
    user.refresh_from_db()
    assert user.password != before
    assert find_token(text).user == user


def test_saving_a_user_otherwise_ends_none() -> None:
    user = UserFactory.create()
    _, text = create_token(name="Export", days=30, actor=act_as(user))
    user.first_name = "Another"
    save_user(user=user, actor=act_as(user), fields=["first_name"])
    assert find_token(text).user == user
