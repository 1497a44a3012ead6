"""A user who is locked out gets in again, whatever keeps them out, and the trail says so."""

from __future__ import annotations

import datetime as dt

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import FailedLogIn, SecondFactor, User
from ctms.audit.models import AuditEntry
from ctms.audit.services import save_record
from ctms.configuration.profiles import VAULT_OWNER
from ctms.core.clock import get_now
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

PASSWORD = "correct horse battery"


@pytest.fixture
def locked_out() -> User:
    """A user whom everything keeps out at once."""
    user = UserFactory.create(
        username="ada", is_active=False, security_profile=SecurityProfileFactory.create(), password=PASSWORD
    )
    user.valid_until = get_now().date() - dt.timedelta(days=3)
    user.save()
    for _ in range(9):
        FailedLogIn.objects.create(username="ada", address="127.0.0.1", at=get_now())
    return user


def log_in(client: Client, password: str) -> bool:
    client.post(reverse("login"), {"username": "ada", "password": password})
    return "_auth_user_id" in client.session


def test_what_keeps_a_user_out_is_undone(
    locked_out: User, client: Client, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VAULT_ADMIN_PASSWORD", f"{PASSWORD} staple")
    assert not log_in(client, PASSWORD)
    before = AuditEntry.objects.count()

    call_command("unlock", "--username", "ADA", "--password")

    assert log_in(client, f"{PASSWORD} staple")
    told = capsys.readouterr().out
    for sentence in ("active again", "no last day", "wrong passwords were forgotten", "password was changed"):
        assert sentence in told
    assert not User.objects.get(pk=locked_out.pk).is_superuser
    entries = AuditEntry.objects.order_by("-id")[: AuditEntry.objects.count() - before]
    assert "unlock" in {entry.reference for entry in entries}


def test_where_no_admin_is_left_one_is_made(locked_out: User) -> None:
    call_command("unlock", "--username", "ada", "--make-admin")
    user = User.objects.get(pk=locked_out.pk)
    assert (user.is_superuser, user.is_staff, user.security_profile and user.security_profile.api_name) == (
        True,
        True,
        VAULT_OWNER,
    )


def test_a_second_factor_goes_only_where_that_is_said(locked_out: User) -> None:
    save_record(record=SecondFactor(user=locked_out), actor=build_admin_actor())
    call_command("unlock", "--username", "ada")
    assert SecondFactor.objects.filter(user=locked_out).exists()
    call_command("unlock", "--username", "ada", "--second-factor")
    assert not SecondFactor.objects.filter(user=locked_out).exists()


def test_what_is_wrong_is_said(locked_out: User, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CommandError, match="There is no user 'nobody'"):
        call_command("unlock", "--username", "nobody")
    monkeypatch.setenv("VAULT_ADMIN_PASSWORD", "short")
    with pytest.raises(CommandError, match="Choose another one"):
        call_command("unlock", "--username", "ada", "--password")
    assert not User.objects.get(pk=locked_out.pk).is_active  # all of it or nothing


def test_a_service_account_is_not_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    account = ServiceAccountFactory.create(is_active=False)
    monkeypatch.setenv("VAULT_ADMIN_PASSWORD", PASSWORD)
    with pytest.raises(CommandError, match="is a service account: nobody logs in as it"):
        call_command("unlock", username=account.username, password=True)
    account.refresh_from_db()
    assert not account.is_active


def test_admins_and_what_keeps_them_out_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    UserFactory.create(username="root", is_superuser=True, is_active=False)
    call_command("unlock")
    assert "root: is inactive" in capsys.readouterr().out
