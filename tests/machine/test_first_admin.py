"""The first admin of a new Vault: who is accepted, and that the password goes no further."""

from __future__ import annotations

import io
import os

import pytest

from ctms.accounts.models import User
from ctms.configuration.profiles import VAULT_OWNER
from ctms.machine.first_admin import FirstAdminError, create_first_admin, is_without_users, read_answers

PASSWORD = "correct horse battery"


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("VAULT_ADMIN_NAME", "Ada King Lovelace")
    monkeypatch.setenv("VAULT_ADMIN_EMAIL", "ada@example.com")
    monkeypatch.setenv("VAULT_ADMIN_PASSWORD", PASSWORD)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    return monkeypatch


@pytest.mark.django_db
def test_the_first_admin_logs_in_with_the_e_mail_address_and_may_everything(answers: pytest.MonkeyPatch) -> None:
    assert is_without_users()
    create_first_admin(read_answers())
    user = User.objects.get(username="ada@example.com")
    assert (user.first_name, user.last_name, user.email) == ("Ada King", "Lovelace", "ada@example.com")
    assert user.check_password(PASSWORD)
    assert user.security_profile is not None
    assert (user.security_profile.api_name, user.is_staff, user.is_superuser) == (VAULT_OWNER, True, True)
    assert not is_without_users()


def test_the_environment_loses_the_password(answers: pytest.MonkeyPatch) -> None:
    read = read_answers()
    assert "VAULT_ADMIN_PASSWORD" not in os.environ
    assert PASSWORD not in repr(read)


@pytest.mark.parametrize(
    ("variable", "value", "refusal"),
    [
        ("VAULT_ADMIN_NAME", "  ", r"Name \(VAULT_ADMIN_NAME\): Enter one"),
        ("VAULT_ADMIN_EMAIL", "ada", r"E-mail address \(VAULT_ADMIN_EMAIL\): 'ada' is none"),
        ("VAULT_ADMIN_PASSWORD", "short", r"Password \(VAULT_ADMIN_PASSWORD\): .*at least 12 characters"),
        ("VAULT_ADMIN_PASSWORD", "password1234", r"Password \(VAULT_ADMIN_PASSWORD\): .*too common"),
        ("VAULT_ADMIN_PASSWORD", "ada@example.com", r"Password \(VAULT_ADMIN_PASSWORD\): .*too similar"),
    ],
)
def test_what_is_wrong_is_named_with_its_remedy(
    answers: pytest.MonkeyPatch, variable: str, value: str, refusal: str
) -> None:
    answers.setenv(variable, value)
    with pytest.raises(FirstAdminError, match=refusal):
        read_answers()


def test_where_nobody_can_be_asked_it_says_what_is_missing(answers: pytest.MonkeyPatch) -> None:
    answers.delenv("VAULT_ADMIN_EMAIL")
    answers.delenv("VAULT_ADMIN_PASSWORD")
    with pytest.raises(FirstAdminError, match="Set VAULT_ADMIN_EMAIL, VAULT_ADMIN_PASSWORD in the environment"):
        read_answers()
