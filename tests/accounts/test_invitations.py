"""Users are invited by a link that sets a password once; a password that an admin sets has to be changed."""

from __future__ import annotations

import datetime as dt
import logging
import re
import smtplib
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core import mail
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse
from time_machine import travel

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.invitations import InvitationError, send_invitation
from ctms.audit.models import AuditEntry
from ctms.core.clock import get_now
from tests.admin_forms import list_errors, list_messages, log_in_admin, submit
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

CHOSEN = "a-password-of-my-own"
TYPED = {"new_password1": CHOSEN, "new_password2": CHOSEN}


@pytest.fixture
def admin() -> User:
    return UserFactory.create(username="ada", is_staff=True, is_superuser=True)


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="uma", email="uma@example.org", password=None)


def invite(user: User, admin: User) -> str:
    """Send an invitation; return the text of its link."""
    send_invitation(user=user, actor=Actor(user=admin, source="admin"))
    return read_token(mail.outbox[-1].body)


def read_token(body: Any) -> str:
    [url] = re.findall(r"http\S+", str(body))
    token: str = parse_qs(urlsplit(url).query)["token"][0]
    assert urlsplit(url).path == "/invitation/"
    return token


def accept(token: str, **typed: str) -> Any:
    return Client().post("/invitation/", {"token": token, **TYPED, **typed})


def can_log_in(username: str, password: str = CHOSEN) -> bool:
    return Client().post("/login/", {"username": username, "password": password}).status_code == 302


# -- The link -------------------------------------------------------------------------------------
def test_an_invited_user_sets_a_password_once_and_logs_in(user: User, admin: User) -> None:
    token = invite(user, admin)
    assert (mail.outbox[-1].to, "uma" in mail.outbox[-1].body) == (["uma@example.org"], True)
    page = Client().get("/invitation/", {"token": token})
    assert (page.status_code, "You log in as" in page.content.decode()) == (200, True)
    response = accept(token)
    assert (response.status_code, response.headers["Location"]) == (302, "/login/")
    assert can_log_in("uma")
    entry = AuditEntry.objects.filter(record_uid=user.uid, changes__has_key="password").latest("id")
    assert (entry.actor, entry.source, entry.changes) == (user, "page", {"password": ["", "set"]})

    again = accept(token, new_password1="yet-another-password", new_password2="yet-another-password")
    assert again.status_code == 410
    assert "ask an admin of your Vault to send you another invitation" in again.content.decode()
    assert Client().get("/invitation/", {"token": token}).status_code == 410
    assert can_log_in("uma")


def test_a_link_is_good_for_the_days_of_the_setting(user: User, admin: User, settings: Any) -> None:
    settings.INVITATION_DAYS = 2
    token, now = invite(user, admin), get_now()
    with travel(now + dt.timedelta(days=2, minutes=1), tick=False):
        assert accept(token).status_code == 410
    with travel(now + dt.timedelta(days=1), tick=False):
        assert accept(token).status_code == 302


def test_a_new_invitation_ends_the_one_before(user: User, admin: User) -> None:
    first, second = invite(user, admin), invite(user, admin)
    assert (accept(first).status_code, accept(second).status_code) == (410, 302)


@pytest.mark.parametrize("change", [{"is_active": False}, {"password": "set elsewhere"}])
def test_a_deactivation_and_a_new_password_end_an_invitation(user: User, admin: User, change: dict[str, Any]) -> None:
    token = invite(user, admin)
    User.objects.filter(pk=user.pk).update(**change)
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert accept(token).status_code == 410


def test_an_inactive_user_sets_no_password_even_if_the_invitation_was_left(user: User, admin: User) -> None:
    token = invite(user, admin)
    QuerySet.update(User.objects.filter(pk=user.pk), is_active=False)  # as SQL would, past what follows from it
    assert accept(token).status_code == 410


@pytest.mark.parametrize("token", ["", "x", "\0", "é" * 100, "None"])
def test_what_is_no_invitation_opens_nothing(token: str) -> None:
    assert Client().get("/invitation/", {"token": token}).status_code == 410
    assert accept(token).status_code == 410


def test_the_password_has_to_meet_the_rules_and_the_link_stays_good(user: User, admin: User) -> None:
    token = invite(user, admin)
    refused = accept(token, new_password1="short", new_password2="short")
    assert refused.status_code == 200
    assert "at least 12 characters" in refused.content.decode()
    assert accept(token).status_code == 302


def test_the_link_is_in_no_log_row_or_referrer(
    user: User, admin: User, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = invite(user, admin)
    page = Client().get("/invitation/", {"token": token})
    answers = [page, accept(token)]
    assert [each.headers["Referrer-Policy"] for each in answers] == ["strict-origin"] * 2
    assert "no-store" in page.headers["Cache-Control"]
    written = capfd.readouterr()
    assert token not in caplog.text + written.out + written.err
    assert token not in str(list(User.objects.values())) + str(list(AuditEntry.objects.values()))
    assert User.objects.get(pk=user.pk).invitation_digest is None


# -- Inviting -------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_new_user_has_no_password_and_is_sent_the_link(client: Client) -> None:
    admin = log_in_admin(client)
    profile = SecurityProfileFactory.create()
    values = {"username": "carla", "first_name": "Carla", "email": "carla@example.org", "security_profile": profile.pk}
    response = submit(client, reverse("admin:accounts_user_add"), form_id="user_form", **values)
    page = client.get(response.headers["Location"])
    assert "An invitation was sent to carla@example.org." in list_messages(page)
    carla = User.objects.get(username="carla")
    assert not carla.has_usable_password()
    assert accept(read_token(mail.outbox[-1].body)).status_code == 302
    assert can_log_in("carla")
    entry = AuditEntry.objects.get(record_uid=carla.uid, changes__has_key="invitation")
    assert (entry.actor, entry.source) == (admin, "admin")
    assert entry.changes["invitation"][1].startswith("sent to carla@example.org, valid until ")


def test_a_new_user_needs_an_address(client: Client) -> None:
    log_in_admin(client)
    response = submit(client, reverse("admin:accounts_user_add"), form_id="user_form", username="carla")
    assert list_errors(response) == {"email": ["This field is required."]}


@pytest.mark.django_db(transaction=True)
def test_a_new_user_stays_if_the_mail_cannot_be_sent_and_the_admin_is_told_what_to_do(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_options: object) -> int:
        raise smtplib.SMTPServerDisconnected

    monkeypatch.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refuse)
    log_in_admin(client)
    values = {"username": "carla", "email": "carla@example.org"}
    response = submit(client, reverse("admin:accounts_user_add"), form_id="user_form", **values)
    [_, told] = list_messages(client.get(response.headers["Location"]))
    assert told.startswith("The invitation to carla@example.org was not sent. ")
    assert told.endswith("choose Send invitation on the user's page, or set a first password there.")
    assert User.objects.get(username="carla").invitation_digest is None


def test_an_admin_invites_again_after_a_question(client: Client, user: User) -> None:
    log_in_admin(client)
    url = reverse("admin:accounts_user_invite", args=(user.pk,))
    assert "uma@example.org is sent a link" in client.get(url).content.decode()
    assert mail.outbox == []
    assert list_messages(client.post(url, follow=True)) == ["An invitation was sent to uma@example.org."]
    assert accept(read_token(mail.outbox[-1].body)).status_code == 302


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"is_active": False}, "Uma User is inactive: make the user active, then send the invitation."),
        ({"email": ""}, "Uma User has no e-mail address: enter one, then send the invitation."),
    ],
)
def test_who_cannot_be_invited_is_not(admin: User, values: dict[str, Any], told: str) -> None:
    user = UserFactory.create(**{"last_name": "User", **values})
    with pytest.raises(InvitationError) as raised:
        send_invitation(user=user, actor=Actor(user=admin, source="admin"))
    assert (str(raised.value), mail.outbox) == (told, [])


def test_only_who_may_change_a_user_invites_them(client: Client, admin: User) -> None:
    profile = SecurityProfileFactory.create(permissions=["admin:security"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.post(reverse("admin:accounts_user_invite", args=(admin.pk,))).status_code == 403
    assert mail.outbox == []


# -- Forced change --------------------------------------------------------------------------------
@pytest.fixture
def forced(user: User) -> Client:
    """The browser of a user who logged in with a password that an admin set."""
    admin, client = Client(), Client()
    log_in_admin(admin)
    typed = {"password1": USER_PASSWORD, "password2": USER_PASSWORD, "usable_password": "true"}
    assert admin.post(f"/admin/accounts/user/{user.pk}/password/", typed).status_code == 302
    User.objects.filter(pk=user.pk).update(is_staff=True, is_superuser=True)
    assert client.post("/login/", {"username": "uma", "password": USER_PASSWORD}).status_code == 302
    return client


@pytest.mark.parametrize(
    "path", ["/", "/profile/", "/records/study__v/", "/admin/", "/admin/accounts/user/", "/nothing/"]
)
def test_with_a_password_of_an_admin_only_the_change_page_opens(forced: Client, path: str) -> None:
    for answer in (forced.get(path), forced.post(path, {"name": "x"})):
        assert (answer.status_code, answer.headers["Location"]) == (302, "/password/")
    by_script = forced.get(path, headers={"HX-Request": "true"})
    assert (by_script.status_code, by_script.headers["HX-Redirect"]) == (403, "/password/")


@pytest.mark.parametrize("path", ["objects/", "study__v/", "schema/", "docs/"])
def test_with_a_password_of_an_admin_the_api_is_refused_with_the_remedy(forced: Client, path: str) -> None:
    answer = forced.get(f"/api/v1/{path}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert answer.json()["detail"] == "An admin set your password. Choose one of your own in the browser first."


def test_the_change_frees_the_user_unless_the_password_stays(forced: Client, user: User) -> None:
    page = forced.get("/password/").content.decode()
    assert ("Choose one of your own to go on" in page, "Cancel" in page) == (True, False)
    same = {"old_password": USER_PASSWORD, "new_password1": USER_PASSWORD, "new_password2": USER_PASSWORD}
    refused = forced.post("/password/", same)
    assert refused.context["form"].errors == {"new_password1": ["This is your present password. Choose another one."]}
    assert forced.get("/").status_code == 302
    assert forced.post("/password/", {"old_password": USER_PASSWORD, **TYPED}).headers["Location"] == "/"
    assert forced.get("/").status_code == 200
    entry = AuditEntry.objects.filter(record_uid=user.uid, changes__has_key="password").latest("id")
    assert entry.changes == {"password": ["set", "set"], "must_change_password": [True, False]}


def test_who_has_to_change_the_password_may_log_out(forced: Client) -> None:
    assert forced.post("/logout/").headers["Location"] == "/login/"


def test_an_invitation_frees_the_user_as_well(user: User, admin: User) -> None:
    User.objects.filter(pk=user.pk).update(must_change_password=True)
    accept(invite(user, admin))
    assert not User.objects.get(pk=user.pk).must_change_password


def test_an_admin_changes_the_own_password_on_the_page_that_asks_for_the_present_one(client: Client) -> None:
    admin = log_in_admin(client)
    url = f"/admin/accounts/user/{admin.pk}/password/"
    response = client.post(url, {"password1": CHOSEN, "password2": CHOSEN, "usable_password": "true"})
    assert response.headers["Location"] == "/password/"
    assert User.objects.get(pk=admin.pk).check_password(USER_PASSWORD)


def test_a_corrected_address_ends_the_invitation_that_went_to_the_wrong_one(user: User, admin: User) -> None:
    token = invite(user, admin)
    user.refresh_from_db()
    user.email = "right@example.org"
    user.save()
    assert accept(token).status_code == 410
