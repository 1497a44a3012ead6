"""Logging in, and how the admin console is entered and left."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from time_machine import travel

from ctms.accounts.models import User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from tests.factories.accounts import USER_PASSWORD, UserFactory

pytestmark = pytest.mark.django_db


def log_in(client: Client, user: User, password: str = USER_PASSWORD, **values: str) -> object:
    return client.post("/login/", {"username": user.username, "password": password, **values})


def test_the_home_page_is_for_users(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/login/?next=/"


def test_a_user_logs_in_and_arrives_at_home(client: Client) -> None:
    user = UserFactory.create()
    response = client.post("/login/", {"username": user.username, "password": USER_PASSWORD}, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert response.context["user"] == user
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert (entry.action, entry.actor) == (AuditAction.LOGGED_IN, user)


def test_a_wrong_password_says_so_and_keeps_the_username(client: Client) -> None:
    user = UserFactory.create()
    response = client.post("/login/", {"username": user.username, "password": "wrong-pass-word"})
    [message] = response.context["form"].non_field_errors()
    assert message.startswith("Please enter a correct username and password.")
    page = response.content.decode()
    assert f'value="{user.username}"' in page
    assert "wrong-pass-word" not in page


def test_the_page_asked_for_comes_after_the_log_in(client: Client) -> None:
    user = UserFactory.create()
    page = client.get("/login/?next=/password/").content.decode()
    assert '<input type="hidden" name="next" value="/password/" />' in page
    values = {"username": user.username, "password": USER_PASSWORD, "next": "/password/"}
    assert client.post("/login/", values).headers["Location"] == "/password/"


@pytest.mark.parametrize("target", ["https://elsewhere.example/", "//elsewhere.example/", "javascript:alert(1)"])
def test_nobody_is_sent_to_another_host_after_the_log_in(client: Client, target: str) -> None:
    user = UserFactory.create()
    values = {"username": user.username, "password": USER_PASSWORD, "next": target}
    assert client.post("/login/", values).headers["Location"] == "/"


def test_who_is_logged_in_needs_no_log_in_page(client: Client) -> None:
    client.force_login(UserFactory.create())
    assert client.get("/login/").headers["Location"] == "/"


def test_the_session_changes_its_key_at_the_log_in(client: Client) -> None:
    user = UserFactory.create()
    client.session["seen"] = True
    client.session.save()
    before = client.session.session_key
    log_in(client, user)
    assert client.session.session_key != before


def test_logging_out_takes_a_button_and_not_a_link(client: Client) -> None:
    user = UserFactory.create()
    client.force_login(user)
    assert client.get("/logout/").status_code == 405
    assert client.post("/logout/").headers["Location"] == "/login/"
    assert "_auth_user_id" not in client.session


@pytest.mark.parametrize("path", ["/admin/", "/admin/clinical/study/"])
def test_the_console_sends_visitors_to_the_one_log_in_page(client: Client, path: str) -> None:
    response = client.get(path, follow=True)
    assert response.redirect_chain == [(f"/admin/login/?next={path}", 302), (f"/login/?next={path}", 302)]


def test_the_consoles_log_in_page_lets_staff_straight_in(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get("/admin/login/").headers["Location"] == "/admin/"


def test_the_consoles_log_out_is_the_vaults(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True))
    assert client.post(reverse("admin:logout")).headers["Location"] == "/login/"


def test_the_consoles_password_page_is_the_vaults(client: Client) -> None:
    client.force_login(UserFactory.create(is_staff=True))
    assert client.get(reverse("admin:password_change")).headers["Location"] == "/password/"


def test_a_page_that_does_not_exist_says_so_in_the_vaults_words(client: Client) -> None:
    response = client.get("/nothing/")
    assert response.status_code == 404
    assert "There is nothing here" in response.content.decode()


def test_the_console_is_in_utc_whatever_the_time_zone_of_its_user(client: Client) -> None:
    with travel("2026-03-02T20:20:00Z", tick=False):
        client.force_login(UserFactory.create(is_superuser=True, is_staff=True, time_zone="Asia/Tokyo"))
        page = client.get(reverse("admin:audit_auditentry_changelist")).content.decode()
    assert "2 Mar 2026, 20:20" in page


def test_an_error_of_the_vault_has_a_page_in_its_look(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(_user: User) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("ctms.records.pages.views.home.build_home_panels", break_down)
    client.force_login(UserFactory.create())
    client.raise_request_exception = False
    response = client.get("/")
    page = response.content.decode()
    assert (response.status_code, "Something went wrong" in page, "vault/base.css" in page) == (500, True, True)


class OtherSession:
    """A password validator at whose moment, after the old password was checked, another session sets a new one."""

    def validate(self, _password: str, user: User) -> None:
        other = User.objects.get(pk=user.pk)
        other.set_password("set-by-the-other-1")
        other.save()

    def get_help_text(self) -> str:
        return ""


def test_of_two_new_passwords_at_the_same_moment_the_first_stays(client: Client, settings: Any) -> None:
    user = UserFactory.create()
    client.force_login(user)
    settings.AUTH_PASSWORD_VALIDATORS = [{"NAME": f"{__name__}.OtherSession"}]
    typed = {"old_password": USER_PASSWORD, "new_password1": "set-by-this-1", "new_password2": "set-by-this-1"}
    refused = client.post("/password/", typed)
    assert refused.context["form"].errors["old_password"] == [
        "Your password was changed a moment ago. Log in with the new one."
    ]
    user.refresh_from_db()
    assert user.check_password("set-by-the-other-1")
