from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.signals import user_login_failed
from django.test import Client

from ctms.audit.models import AuditEntry
from tests.factories.accounts import USER_PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def read_last() -> dict[str, Any]:
    entry = AuditEntry.objects.latest("id")
    return {name: getattr(entry, name) for name in ("action", "actor", "actor_name", "record_uid", "object_name")}


def test_log_in_and_log_out_are_in_the_trail(client: Client) -> None:
    user = UserFactory.create(first_name="Uma", last_name="User")
    entry = {"actor": user, "actor_name": "Uma User", "record_uid": user.uid, "object_name": "accounts.user"}
    client.force_login(user)
    assert read_last() == {"action": "logged_in", **entry}
    client.logout()
    assert read_last() == {"action": "logged_out", **entry}


def test_a_refused_log_in_is_in_the_trail_without_the_password() -> None:
    user = UserFactory.create()
    assert authenticate(username=user.username, password=f"not-{USER_PASSWORD}") is None
    assert read_last() == {
        "action": "login_failed",
        "actor": None,
        "actor_name": user.username,
        "record_uid": None,
        "object_name": "accounts.user",
    }
    assert USER_PASSWORD not in str(list(AuditEntry.objects.values()))


@pytest.mark.parametrize(("typed", "kept"), [("n" * 400, "n" * 255), ("no\0body", "nobody"), ("", "")])
def test_a_refused_log_in_is_in_the_trail_whatever_was_typed(typed: str, kept: str) -> None:
    user_login_failed.send(sender=__name__, credentials={"username": typed}, request=None)
    assert read_last()["actor_name"] == kept
