"""Admins see the API tokens of all users, never what opens them, and revoke them."""

from __future__ import annotations

import datetime as dt

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from ctms.accounts.models import ApiToken, TokenScope, User
from ctms.accounts.tokens import InvalidTokenError, find_token
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.models import AuditEntry
from ctms.core.clock import get_now
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

LIST = "admin:accounts_apitoken_changelist"


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="uma")


def create(user: User, name: str = "Export", days: int = 30) -> tuple[ApiToken, str]:
    return create_token(name=name, days=days, scope=TokenScope.WRITE, actor=Actor(user=user, source="page"))


def revoke_url(token: ApiToken) -> str:
    return reverse("admin:accounts_apitoken_revoke", args=(token.pk,))


def test_the_list_shows_whose_a_token_is_its_scope_and_use_and_nothing_that_opens_anything(
    client: Client, user: User
) -> None:
    token, text = create(user)
    find_token(text)
    log_in_admin(client)
    pages = [client.get(url).content.decode() for url in (reverse(LIST), f"{reverse(LIST)}{token.pk}/change/")]
    assert [word for page in pages for word in ("Export", "Read and write", "Valid") if word not in page] == []
    assert [page for page in pages if token.digest in page or text in page] == []


def test_tokens_are_filtered_by_their_state(client: Client, user: User) -> None:
    log_in_admin(client)
    create(user, "Long")
    create(user, "Short", days=1)
    ApiToken.objects.filter(pk=create(user, "Gone")[0].pk).update(revoked_at=get_now())
    with travel(get_now() + dt.timedelta(days=2), tick=False):
        log_in_admin(client)
        shown = {
            state: [token.name for token in client.get(f"{reverse(LIST)}?state={state}").context["cl"].queryset]
            for state in ("valid", "expired", "revoked")
        }
    assert shown == {"valid": ["Long"], "expired": ["Short"], "revoked": ["Gone"]}


def test_an_admin_revokes_a_token_after_a_question(client: Client, user: User) -> None:
    admin = log_in_admin(client)
    token, text = create(user)
    assert "can no longer do anything as" in client.get(revoke_url(token)).content.decode()
    assert find_token(text).user == user
    response = client.post(revoke_url(token), follow=True)
    assert list_messages(response) == [f"The token Export of {user} was revoked."]
    with pytest.raises(InvalidTokenError):
        find_token(text)
    entry = AuditEntry.objects.filter(record_uid=token.uid).latest("id")
    assert (entry.actor, entry.source, list(entry.changes)) == (admin, "admin", ["revoked_at"])
    assert list_messages(client.post(revoke_url(token), follow=True)) == ["The token Export was revoked already."]


def test_who_may_not_manage_users_neither_sees_nor_revokes_tokens(client: Client, user: User) -> None:
    token, text = create(user)
    profile = SecurityProfileFactory.create(permissions=["admin:jobs", "admin:audit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(reverse(LIST)).status_code == 403
    assert client.post(revoke_url(token)).status_code == 403
    assert find_token(text).user == user
