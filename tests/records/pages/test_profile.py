"""The user's own page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.forms import PasswordChangeForm
from django.test import Client
from django.urls import reverse

from ctms.accounts.models import ApiToken, User
from ctms.accounts.tokens import find_token
from ctms.audit.actors import Actor
from ctms.audit.api_tokens import create_token
from ctms.audit.models import AuditEntry
from ctms.audit.users import save_user
from ctms.records.pages.views import profile
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(client: Client) -> User:
    profile = SecurityProfileFactory.create(name="Clinical research associate")
    user = UserFactory.create(username="carla", first_name="Carla", last_name="Craig", security_profile=profile)
    client.force_login(user)
    return user


def test_the_page_says_who_the_user_is_and_leads_to_the_password(client: Client, user: User) -> None:
    page = client.get("/profile/").content.decode()
    for text in ("Carla Craig", "carla@example.org", "Clinical research associate", 'href="/password/"'):
        assert text in page


def test_time_zone_and_theme_are_saved_with_an_audit_entry_and_in_force_at_once(client: Client, user: User) -> None:
    response = client.post("/profile/", {"time_zone": "Europe/Berlin", "theme": "dark"}, follow=True)
    page = response.content.decode()
    assert response.redirect_chain == [("/profile/", 302)]
    assert "Your profile was saved." in page
    assert 'data-theme="dark"' in page
    user.refresh_from_db()
    assert (user.time_zone, user.theme) == ("Europe/Berlin", "dark")
    entry = AuditEntry.objects.filter(record_uid=user.uid).latest("id")
    assert (entry.source, entry.changes) == (
        "page",
        {"time_zone": ["UTC", "Europe/Berlin"], "theme": ["", "dark"]},
    )
    client.post("/profile/", {"time_zone": "Europe/Berlin", "theme": ""})
    assert "data-theme" not in client.get("/profile/").content.decode()


def test_single_keys_are_ignored_for_whoever_wants_that(client: Client, user: User) -> None:
    assert "data-shortcuts" not in client.get("/profile/").content.decode()
    client.post("/profile/", {"time_zone": "UTC", "theme": "", "without_shortcuts": "on"})
    assert 'data-shortcuts="off"' in client.get("/profile/").content.decode()


@pytest.mark.parametrize("values", [{"time_zone": "Mars/Olympus"}, {"theme": "pink"}, {"time_zone": ""}])
def test_what_is_no_choice_is_refused_and_not_saved(client: Client, user: User, values: dict[str, str]) -> None:
    response = client.post("/profile/", {"time_zone": "Asia/Tokyo", "theme": "dark"} | values)
    assert list(response.context["form"].errors) == list(values)
    user.refresh_from_db()
    assert (user.time_zone, user.theme) == ("UTC", "")


def test_a_zone_that_is_not_offered_any_more_stays_chosen(client: Client, user: User) -> None:
    user.time_zone = "Etc/GMT+12"
    user.save()
    assert '<option value="Etc/GMT+12" selected>' in client.get("/profile/").content.decode()
    client.post("/profile/", {"time_zone": "Etc/GMT+12", "theme": "light"})
    user.refresh_from_db()
    assert (user.time_zone, user.theme) == ("Etc/GMT+12", "light")


def test_a_new_token_is_shown_once(client: Client, user: User) -> None:
    response = client.post("/profile/tokens/", {"name": "Export", "scope": "read", "days": "30"})
    found = re.search(r'value="(vault_[\w-]{43})"', response.content.decode())
    assert found is not None
    assert find_token(found.group(1)).user == user
    assert "no-store" in response.headers["Cache-Control"]
    later = client.get("/profile/").content.decode()
    assert ("vault_" in later, "Export" in later) == (False, True)


def test_what_is_wrong_with_a_token_is_said_and_what_was_typed_stays(client: Client, user: User) -> None:
    create_token(name="Export", days=1, actor=Actor(user=user, source="page"))
    for values, wrong in (
        ({"name": "Export", "days": "30"}, ["name"]),
        ({"name": "", "days": "366"}, ["name", "days"]),
        ({"name": "x" * 81, "days": "0"}, ["name", "days"]),
        ({"name": "Other", "days": "soon"}, ["days"]),
        ({"name": "Other", "days": "1", "scope": "all"}, ["scope"]),
    ):
        response = client.post("/profile/tokens/", {"scope": "read", **values})
        assert list(response.context["token_form"].errors) == wrong
        assert f'value="{values["days"]}"' in response.content.decode()
    assert ApiToken.objects.count() == 1


def test_a_token_is_revoked_after_a_question(client: Client, user: User) -> None:
    token, _ = create_token(name="Export", days=1, actor=Actor(user=user, source="page"))
    url = reverse("token_revoke", args=(token.uid,))
    assert "Revoke Export?" in client.get(url).content.decode()
    response = client.post(url, follow=True)
    assert response.redirect_chain == [("/profile/", 302)]
    assert "The token Export was revoked." in response.content.decode()
    token.refresh_from_db()
    assert token.revoked_at is not None
    assert client.post(url).status_code == 404


def test_nobody_sees_or_revokes_the_tokens_of_others(client: Client, user: User) -> None:
    token, _ = create_token(name="Secret project", days=1, actor=Actor(user=UserFactory.create(), source="page"))
    assert "Secret project" not in client.get("/profile/").content.decode()
    url = reverse("token_revoke", args=(token.uid,))
    assert (client.get(url).status_code, client.post(url).status_code) == (404, 404)
    token.refresh_from_db()
    assert token.revoked_at is None


def test_an_expired_token_is_marked(client: Client, user: User) -> None:
    token, _ = create_token(name="Export", days=1, actor=Actor(user=user, source="page"))
    ApiToken.objects.filter(pk=token.pk).update(expires_at=token.created_at)
    assert "Expired" in client.get("/profile/").content.decode()


def test_who_was_deactivated_meanwhile_stays_so_whatever_the_user_saves(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def deactivate_and_save(**values: Any) -> None:
        User.objects.filter(pk=user.pk).update(is_active=False, security_profile=None)
        save_user(**values)

    monkeypatch.setattr(profile, "save_user", deactivate_and_save)
    client.post("/profile/", {"time_zone": "Asia/Tokyo", "theme": "dark"})

    user.refresh_from_db()
    assert (user.is_active, user.security_profile, user.time_zone) == (False, None, "Asia/Tokyo")
    entry = AuditEntry.objects.filter(record_uid=user.uid).latest("id")
    assert entry.changes == {"time_zone": ["UTC", "Asia/Tokyo"], "theme": ["", "dark"]}


def test_who_was_deactivated_meanwhile_stays_so_with_a_new_password(
    client: Client, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    user.set_password("an-old-pass-word")
    user.save()
    client.force_login(user)
    is_valid = PasswordChangeForm.is_valid

    def deactivate_after(form: PasswordChangeForm) -> bool:
        valid = is_valid(form)
        User.objects.filter(pk=user.pk).update(is_active=False)
        return valid

    monkeypatch.setattr(PasswordChangeForm, "is_valid", deactivate_after)
    new = "a-brand-new-pass-word"
    client.post("/password/", {"old_password": "an-old-pass-word", "new_password1": new, "new_password2": new})

    user.refresh_from_db()
    assert (user.is_active, user.check_password(new)) == (False, True)


# -- The time zone of the browser -----------------------------------------------------------------
def is_offered(client: Client) -> bool:
    """Whether the page holds what the script shows if the browser's time zone is another one."""
    return "data-time-zone=" in client.get("/").content.decode()


@pytest.mark.parametrize(("zone", "then"), [("Europe/Vienna", "Europe/Vienna"), ("", "UTC")])
def test_the_browsers_time_zone_is_offered_until_it_is_used_or_not(
    client: Client, user: User, zone: str, then: str
) -> None:
    assert is_offered(client)
    response = client.post("/profile/time-zone/", {"zone": zone, "next": "/reports/?page=2"})
    assert response["Location"] == "/reports/?page=2"
    user.refresh_from_db()
    assert (user.time_zone, user.has_settled_time_zone, is_offered(client)) == (then, True, False)
    changes = [each.changes for each in AuditEntry.objects.filter(record_uid=user.uid, action="changed")]
    assert changes == ([{"time_zone": ["UTC", "Europe/Vienna"]}] if zone else [])


def test_it_is_not_offered_to_whoever_chose_one_on_the_profile_page(client: Client, user: User) -> None:
    client.post("/profile/", {"time_zone": "UTC", "theme": ""})
    assert not is_offered(client)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "\0", "x" * 500])
def test_a_zone_that_is_unknown_here_is_refused_with_the_way_to_choose_one(
    client: Client, user: User, zone: str
) -> None:
    response = client.post("/profile/time-zone/", {"zone": zone}, follow=True)
    assert "does not know the one of your browser" in response.content.decode()
    user.refresh_from_db()
    assert (user.time_zone, user.has_settled_time_zone) == ("UTC", False)


@pytest.mark.parametrize("back", ["https://example.org/", "//example.org/", "javascript:alert(1)", ""])
def test_it_leads_nowhere_else(client: Client, user: User, back: str) -> None:
    assert client.post("/profile/time-zone/", {"zone": "", "next": back})["Location"] == "/"
