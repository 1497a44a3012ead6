"""Service accounts in the console: made with owner and purpose, unable to log in, with tokens that are replaced."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any

import pytest
import time_machine
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import ApiToken, User
from ctms.accounts.tokens import InvalidTokenError, TokenLimits, find_token
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import TokenNotReplacedError, create_token, replace_token, revoke_token
from ctms.audit.invitations import InvitationError, send_invitation
from ctms.audit.models import AuditEntry
from tests.admin_forms import log_in_admin
from tests.factories.accounts import SecurityProfileFactory, ServiceAccountFactory, UserFactory
from tests.factories.base import build_admin_actor
from tests.factories.clinical import StudyFactory

pytestmark = pytest.mark.django_db

NOW = dt.datetime(2026, 3, 2, 10, tzinfo=dt.UTC)
_TOKEN = re.compile(r"vault_[\w-]{43}")


def get_page(account: User, name: str) -> str:
    return reverse(f"admin:accounts_user_{name}", args=(account.pk,))


def make_token(account: User, *, name: str = "Nightly", days: int = 30, **limits: Any) -> tuple[ApiToken, str]:
    return create_token(name=name, days=days, user=account, limits=TokenLimits(**limits), actor=build_admin_actor())


# -- Making them ----------------------------------------------------------------------------------
def test_an_admin_makes_one_with_owner_and_purpose(client: Client) -> None:
    log_in_admin(client)
    owner, profile = UserFactory.create(), SecurityProfileFactory.create()
    page = "/admin/accounts/user/add-service/"
    values = {
        "username": "loader",
        "last_name": "Site loader",
        "service_owner": owner.pk,
        "service_purpose": "Loads sites from the registry.",
        "security_profile": profile.pk,
    }
    missing = client.post(page, values | {"service_owner": "", "service_purpose": ""})
    assert set(missing.context["form"].errors) == {"service_owner", "service_purpose"}
    answer = client.post(page, values)
    account = User.objects.get(username="loader")
    assert (answer.status_code, answer.headers["Location"]) == (302, get_page(account, "change"))
    assert (account.service_owner, account.service_purpose) == (owner, "Loads sites from the registry.")
    assert (account.email, account.digest_hour, account.has_usable_password()) == ("", None, False)
    entry = AuditEntry.objects.get(object_name="accounts.user", record_uid=account.uid)
    assert entry.changes["service_purpose"] == [None, "Loads sites from the registry."]
    assert "Add service account" in client.get(reverse("admin:accounts_user_changelist")).content.decode()


def test_an_owner_is_a_person_who_can_be_told(client: Client) -> None:
    log_in_admin(client)
    for owner in (ServiceAccountFactory.create(), UserFactory.create(email=""), UserFactory.create(is_active=False)):
        values = {"username": "x", "last_name": "X", "service_owner": owner.pk, "service_purpose": "x"}
        answer = client.post("/admin/accounts/user/add-service/", values)
        assert "Choose a person who is active" in str(answer.context["form"].errors["service_owner"])


def test_nobody_gives_a_service_account_what_they_do_not_have(client: Client) -> None:
    manager = UserFactory.create(
        is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:security"])
    )
    client.force_login(manager)
    strong = SecurityProfileFactory.create(permissions=["admin:connections"])
    values = {"username": "x", "last_name": "X", "service_owner": manager.pk, "service_purpose": "x"}
    answer = client.post("/admin/accounts/user/add-service/", values | {"security_profile": strong.pk})
    assert "You cannot give what you do not have" in str(answer.context["form"].errors)
    account = ServiceAccountFactory.create(security_profile=strong)
    assert client.get(get_page(account, "create_service_token")).status_code == 403
    with pytest.raises(PermissionDenied, match="You cannot give"):
        create_token(name="x", days=1, user=account, actor=Actor(user=manager, source="admin"))


def test_nobody_makes_tokens_for_another_person() -> None:
    with pytest.raises(PermissionDenied, match="is a person"):
        make_token(UserFactory.create())


# -- They cannot log in ---------------------------------------------------------------------------
def test_no_door_lets_one_in(client: Client) -> None:
    account = ServiceAccountFactory.create(is_active=True)
    client.force_login(account)  # as any way to log in would
    assert client.get("/").status_code == 302
    assert client.get("/api/v1/objects/").status_code == 401
    with pytest.raises(InvitationError):
        send_invitation(user=account, actor=build_admin_actor())


@pytest.mark.both_databases
@pytest.mark.parametrize(
    "values",
    [
        {"email": "program@example.org"},
        {"is_staff": True},
        {"is_superuser": True},
        {"digest_hour": 7},
        {"service_purpose": ""},
        {"password": "pbkdf2_sha256$1$a$b"},
        {"must_change_password": True},
        {"invitation_digest": "0" * 64},
    ],
    ids=lambda values: next(iter(values)),
)
def test_the_database_holds_it(values: dict[str, Any]) -> None:
    account = ServiceAccountFactory.create()
    with pytest.raises(IntegrityError, match="service_account_cannot_log_in"), transaction.atomic():
        User.objects.filter(pk=account.pk).update(**values)


def test_its_page_asks_for_no_password_and_no_address(client: Client) -> None:
    log_in_admin(client)
    account = ServiceAccountFactory.create()
    page = client.get(get_page(account, "change")).content.decode()
    assert "New token" in page
    for absent in ('name="email"', 'name="is_staff"', 'name="digest_hour"', "Send invitation", "End sessions"):
        assert absent not in page
    assert client.get(reverse("admin:auth_user_password_change", args=(account.pk,))).status_code == 403
    assert "New token" not in client.get(get_page(UserFactory.create(), "change")).content.decode()


def test_its_page_saves_purpose_and_owner(client: Client) -> None:
    log_in_admin(client)
    account, owner = ServiceAccountFactory.create(), UserFactory.create()
    form = client.get(get_page(account, "change")).context["adminform"].form
    values = {name: form.initial.get(name) or "" for name in form.fields if name != "password"}
    values |= {"service_owner": owner.pk, "service_purpose": "Another one.", "is_active": "on"}
    answer = client.post(get_page(account, "change"), values)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    account.refresh_from_db()
    assert (account.service_owner, account.service_purpose) == (owner, "Another one.")


# -- Tokens ---------------------------------------------------------------------------------------
def test_an_admin_makes_a_token_that_is_shown_once(client: Client) -> None:
    log_in_admin(client)
    account, study = ServiceAccountFactory.create(), StudyFactory.create()
    values = {
        "name": "Nightly load",
        "scope": "write",
        "days": 30,
        "objects": ["site__v", "study__v"],
        "studies": [study.pk],
        "networks": "192.0.2.7\n198.51.100.0/24",
    }
    answer = client.post(get_page(account, "create_service_token"), values)
    (text,) = set(_TOKEN.findall(answer.content.decode()))
    token = ApiToken.objects.get()
    assert (token.user, token.scope) == (account, "write")
    assert (token.object_names, token.study_uids) == (["site__v", "study__v"], [str(study.uid)])
    assert token.networks == ["192.0.2.7/32", "198.51.100.0/24"]
    assert find_token(text, address="192.0.2.7").user == account
    page = client.get(reverse("admin:accounts_apitoken_change", args=(token.pk,))).content.decode()
    assert text not in page
    assert str(account.service_owner) in page
    refused = client.post(get_page(account, "create_service_token"), values | {"networks": "here"})
    assert "here is neither an IP address nor a network" in str(refused.context["form"].errors["networks"])


def test_what_is_not_chosen_is_no_limit(client: Client) -> None:
    log_in_admin(client)
    account = ServiceAccountFactory.create()
    client.post(get_page(account, "create_service_token"), {"name": "All", "scope": "read", "days": 1})
    token = ApiToken.objects.get()
    assert (token.object_names, token.study_uids, token.networks) == (None, None, None)


# -- Replacing ------------------------------------------------------------------------------------
def test_both_tokens_are_valid_for_the_overlap_and_reach_equally_far() -> None:
    account = ServiceAccountFactory.create()
    with time_machine.travel(NOW, tick=False):
        old, old_text = make_token(account, object_names=["site__v"], networks=["192.0.2.0/24"])
        new, new_text = replace_token(token=old, days=60, overlap_days=7, actor=build_admin_actor())
    assert (new.name, new.replaces, new.expires_at) == ("Nightly #2", old, NOW + dt.timedelta(days=60))
    assert (new.object_names, new.networks, new.scope) == (["site__v"], ["192.0.2.0/24"], old.scope)
    with time_machine.travel(NOW + dt.timedelta(days=7, seconds=-1), tick=False):
        for text in (old_text, new_text):
            assert find_token(text, address="192.0.2.7").user == account
    with time_machine.travel(NOW + dt.timedelta(days=7), tick=False):
        with pytest.raises(InvalidTokenError, match="expired"):
            find_token(old_text, address="192.0.2.7")
        assert find_token(new_text, address="192.0.2.7").user == account


def test_the_overlap_never_prolongs_the_old_one() -> None:
    with time_machine.travel(NOW, tick=False):
        old, _ = make_token(ServiceAccountFactory.create(), days=2)
        replace_token(token=old, days=60, overlap_days=14, actor=build_admin_actor())
        old.refresh_from_db()
    assert old.expires_at == NOW + dt.timedelta(days=2)


@pytest.mark.both_databases
def test_a_token_is_replaced_once_and_the_chain_goes_on() -> None:
    old, _ = make_token(ServiceAccountFactory.create())
    new, _ = replace_token(token=old, days=60, overlap_days=7, actor=build_admin_actor())
    with pytest.raises(TokenNotReplacedError, match="replaced by Nightly #2 already"):
        replace_token(token=old, days=60, overlap_days=7, actor=build_admin_actor())
    third, _ = replace_token(token=new, days=60, overlap_days=0, actor=build_admin_actor())
    assert third.name == "Nightly #3"
    with pytest.raises(TokenNotReplacedError, match="has expired"):
        replace_token(token=new, days=60, overlap_days=0, actor=build_admin_actor())
    revoke_token(token=third, actor=build_admin_actor())
    with pytest.raises(TokenNotReplacedError, match="was revoked"):
        replace_token(token=third, days=60, overlap_days=0, actor=build_admin_actor())


@pytest.mark.parametrize("overlap", [-1, 15])
def test_the_overlap_has_an_end(overlap: int) -> None:
    old, _ = make_token(ServiceAccountFactory.create())
    with pytest.raises(ValueError, match="0 to 14 days"):
        replace_token(token=old, days=60, overlap_days=overlap, actor=build_admin_actor())
    assert ApiToken.objects.count() == 1


def test_the_console_replaces_a_token_of_a_service_account_and_no_persons(client: Client) -> None:
    log_in_admin(client)
    token, old_text = make_token(ServiceAccountFactory.create())
    page = reverse("admin:accounts_apitoken_replace", args=(token.pk,))
    answer = client.post(page, {"days": 90, "overlap_days": 7})
    (text,) = set(_TOKEN.findall(answer.content.decode()))
    assert text != old_text
    assert find_token(text).user == token.user
    again = client.post(page, {"days": 90, "overlap_days": 7})
    assert "was replaced by Nightly #2 already" in again.content.decode()
    person = UserFactory.create()
    own, _ = create_token(name="Own", days=1, actor=Actor(user=person, source="page"))
    assert client.post(reverse("admin:accounts_apitoken_replace", args=(own.pk,))).status_code == 403
