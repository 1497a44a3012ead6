"""An account that ends: on its last day (UTC) everything works, on the next day nothing does, and it says why."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from time_machine import travel

from ctms.accounts.models import User
from ctms.accounts.policies import find_ground, has_permission
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from tests.admin_forms import log_in_admin, submit
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

LAST_DAY = dt.date(2026, 3, 2)
LAST_MINUTE, NEXT_MINUTE = dt.datetime(2026, 3, 2, 23, 59, tzinfo=dt.UTC), dt.datetime(2026, 3, 3, tzinfo=dt.UTC)
WORDS = "Your account was valid until 2026-03-02 (UTC). Ask an admin of your Vault to extend it."


def create_user(**values: bool) -> User:
    profile = SecurityProfileFactory.create(permissions=["study__v:read"], sees_all_studies=True)
    return UserFactory.create(security_profile=profile, valid_until=LAST_DAY, **values)


def test_the_log_in_is_refused_only_to_who_knows_the_password(client: Client) -> None:
    user = create_user()
    typed = {"username": user.username, "password": USER_PASSWORD}
    with travel(NEXT_MINUTE):
        response = client.post("/login/", typed)
        assert response.context["form"].non_field_errors() == [WORDS]
        response = client.post("/login/", typed | {"password": "wrong-pass-word"})
        assert WORDS not in response.content.decode()
    assert AuditEntry.objects.filter(action=AuditAction.LOGIN_FAILED, actor_name=user.username).count() == 2
    with travel(LAST_MINUTE):
        assert client.post("/login/", typed).status_code == 302


def test_a_session_ends_with_the_account(client: Client) -> None:
    with travel(LAST_MINUTE, tick=False):
        client.force_login(create_user())
        assert client.get("/records/study__v/").status_code == 200
    with travel(NEXT_MINUTE, tick=False):
        response = client.get("/records/study__v/")
        assert (response.status_code, WORDS in response.content.decode()) == (403, True)
        assert client.get("/records/study__v/").headers["Location"] == "/login/?next=/records/study__v/"


def test_the_api_refuses_token_and_session_in_the_same_words(client: Client) -> None:
    user = create_user()
    with travel(LAST_MINUTE, tick=False):
        _, text = create_token(name="Export", days=30, actor=Actor(user=user, source="page"))
        headers = {"Authorization": f"Bearer {text}"}
        assert client.get("/api/v1/study__v/", headers=headers).status_code == 200
        client.force_login(user)
    with travel(NEXT_MINUTE, tick=False):
        answers = [client.get("/api/v1/study__v/"), client.get("/api/v1/study__v/", headers=headers)]
    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [(403, WORDS), (401, WORDS)]


@pytest.mark.parametrize("is_superuser", [False, True])
def test_the_policies_grant_nothing_either(is_superuser: bool) -> None:
    user = create_user(is_superuser=is_superuser)
    with travel(LAST_MINUTE):
        assert has_permission(user=user, permission="study__v:read")
    with travel(NEXT_MINUTE):
        assert find_ground(user=user, permission="study__v:read").why == "The account has ended"
        assert not user.has_perm("clinical.view_study")


def test_an_admin_extends_it_and_the_audit_trail_says_so(client: Client) -> None:
    log_in_admin(client)
    user = create_user()
    submit(client, f"/admin/accounts/user/{user.pk}/change/", form_id="user_form", valid_until="2026-04-01")
    user.refresh_from_db()
    assert user.valid_until == dt.date(2026, 4, 1)
    entry = AuditEntry.objects.filter(record_uid=user.uid)[0]
    assert entry.changes == {"valid_until": ["2026-03-02", "2026-04-01"]}
