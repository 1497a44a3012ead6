"""Sessions end by themselves, by their user, by an admin, with a new password and with a deactivation."""

from __future__ import annotations

import datetime as dt
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from time_machine import Traveller, travel

from ctms.accounts.models import User, UserSession
from ctms.accounts.sessions import describe_browser, list_sessions
from ctms.audit.models import AuditEntry
from ctms.core.clock import get_now
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory

pytestmark = [pytest.mark.django_db, pytest.mark.both_databases]

NEW_PASSWORD = "another-password-of-tests"
FIREFOX = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0"
BACKGROUND = {"Vault-Background": "1"}
TEMPLATES = Path(__file__).resolve().parents[2] / "templates"


@pytest.fixture
def user() -> User:
    return UserFactory.create(username="uma")


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC), tick=False) as coordinates:
        yield coordinates


def log_in(user: User, **headers: str) -> Client:
    client = Client(headers={"User-Agent": FIREFOX, **headers})
    response = client.post("/login/", {"username": user.username, "password": USER_PASSWORD})
    assert response.status_code == 302
    return client


def is_logged_in(client: Client, **headers: str) -> bool:
    return client.get("/profile/", headers=headers).status_code == 200


# -- By themselves --------------------------------------------------------------------------------
def test_a_session_ends_half_an_hour_after_its_last_use(user: User, clock: Traveller) -> None:
    client = log_in(user)
    for _ in range(3):
        clock.shift(dt.timedelta(minutes=29))
        assert is_logged_in(client)
    clock.shift(dt.timedelta(minutes=30))
    assert not is_logged_in(client)
    clock.shift(dt.timedelta(minutes=-29))  # the cookie is gone, whatever a clock says later
    assert not is_logged_in(client)


def test_a_session_ends_twelve_hours_after_the_log_in_however_it_is_used(user: User, clock: Traveller) -> None:
    client = log_in(user)
    for _ in range(35):
        clock.shift(dt.timedelta(minutes=20))
        assert is_logged_in(client)
    clock.shift(dt.timedelta(minutes=19))
    assert is_logged_in(client)
    clock.shift(dt.timedelta(minutes=1))
    assert not is_logged_in(client)


def test_both_times_are_settings(user: User, clock: Traveller, settings: Any) -> None:
    settings.SESSION_IDLE_MINUTES, settings.SESSION_LIFETIME_HOURS = 90, 1
    client = log_in(user)
    clock.shift(dt.timedelta(minutes=59))
    assert is_logged_in(client)
    clock.shift(dt.timedelta(minutes=1))
    assert not is_logged_in(client)


def test_the_end_is_in_the_row_whatever_the_session_keeps_later(user: User, clock: Traveller) -> None:
    client = log_in(user)
    for _ in range(24):
        clock.shift(dt.timedelta(minutes=29))
        session = client.session
        session["seen"] = "something"
        session.save()
    assert UserSession.objects.get().expire_date == dt.datetime(2026, 3, 2, 20, tzinfo=dt.UTC)


def test_a_log_in_again_in_the_same_browser_begins_anew(user: User, clock: Traveller) -> None:
    client = log_in(user)
    clock.shift(dt.timedelta(hours=13))
    client.post("/login/", {"username": user.username, "password": USER_PASSWORD})
    assert is_logged_in(client)
    assert [each.begun_at for each in UserSession.objects.all()] == [get_now()]


def test_requests_that_a_page_makes_by_itself_do_not_keep_a_session_alive(user: User, clock: Traveller) -> None:
    client = log_in(user)
    for _ in range(2):
        clock.shift(dt.timedelta(minutes=14))
        assert is_logged_in(client, **BACKGROUND)
    clock.shift(dt.timedelta(minutes=2))
    assert not is_logged_in(client, **BACKGROUND)


def test_such_a_request_leads_the_whole_page_to_the_log_in_when_the_session_has_ended(client: Client) -> None:
    headers = {**BACKGROUND, "HX-Request": "true", "HX-Current-URL": "https://vault.example.org/operations/1/?a=1"}
    response = client.get("/profile/", headers=headers)
    assert (response.status_code, response.headers["HX-Redirect"]) == (401, "/login/?next=/operations/1/%3Fa%3D1")
    elsewhere = client.get("/profile/", headers={**BACKGROUND, "HX-Current-URL": "https://elsewhere.example//x/"})
    assert elsewhere.headers["HX-Redirect"].startswith("/login/?next=")
    damaged = client.get("/profile/", headers={**BACKGROUND, "HX-Current-URL": "http://[::1"})
    assert (damaged.status_code, damaged.headers["HX-Redirect"]) == (401, "/login/?next=/profile/")


def test_every_page_that_asks_by_itself_says_so() -> None:
    polling = [
        text for each in TEMPLATES.rglob("*.html") for text in re.findall(r"<[^>]*every \d+s[^>]*>", each.read_text())
    ]
    assert polling
    assert [text for text in polling if '"Vault-Background": "1"' not in text] == []


def test_use_is_noted_once_a_minute_and_costs_nothing_otherwise(user: User, clock: Traveller) -> None:
    client = log_in(user)

    def count() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert is_logged_in(client)
        return len([each for each in queries if each["sql"].startswith("UPDATE")])

    assert [count(), count()] == [0, 0]
    clock.shift(dt.timedelta(minutes=1))
    assert [count(), count()] == [1, 0]
    assert UserSession.objects.get().last_used_at == get_now()


def test_what_was_typed_survives_the_end_of_the_session(clock: Traveller) -> None:
    client = log_in(UserFactory.create(is_superuser=True))
    clock.shift(dt.timedelta(minutes=31))
    page = client.post("/records/study__v/create/", {"name__v": "CARDIO-9", "csrfmiddlewaretoken": "a"})
    assert "What you typed is kept" in page.content.decode()


def test_ended_sessions_of_a_user_are_removed_at_the_next_log_in(user: User, clock: Traveller) -> None:
    log_in(user)
    clock.shift(dt.timedelta(hours=1))
    log_in(user)
    assert UserSession.objects.count() == 1


# -- By their user --------------------------------------------------------------------------------
def test_a_user_sees_where_they_are_logged_in_and_no_key_that_opens_it(user: User) -> None:
    here, elsewhere = log_in(user), log_in(user)
    log_in(UserFactory.create(username="other"))
    response = here.get("/profile/")
    page = response.content.decode()
    assert [each.browser for each in response.context["sessions"]] == ["Firefox on Windows"] * 2
    assert page.count("This session") == 1
    assert page.count("127.0.0.1") >= 2
    assert [each for each in (here, elsewhere) if str(each.session.session_key) in page] == []


def test_a_user_ends_another_session_or_all_others_and_goes_on_in_this(user: User) -> None:
    here, lost, third = log_in(user), log_in(user), log_in(user)
    session = UserSession.objects.get(pk=lost.session.session_key)
    response = here.post("/profile/sessions/end/", {"session": session.public_id}, follow=True)
    assert list_messages(response) == ["The session was ended."]
    assert [is_logged_in(each) for each in (here, lost, third)] == [True, False, True]
    entry = AuditEntry.objects.latest("id")
    assert (entry.actor, entry.record_uid, entry.changes) == (user, user.uid, {"session": [str(session), "ended"]})

    log_in(user)
    assert list_messages(here.post("/profile/sessions/end/", {"session": "others"}, follow=True)) == [
        "2 sessions were ended."
    ]
    assert [is_logged_in(each) for each in (here, third)] == [True, False]
    again = here.post("/profile/sessions/end/", {"session": session.public_id}, follow=True)
    assert list_messages(again) == ["Nothing was ended: it had ended by itself."]


def test_nobody_ends_the_sessions_of_others(user: User, client: Client) -> None:
    other = log_in(user)
    client.force_login(UserFactory.create())
    for chosen in (UserSession.objects.get(user=user).public_id, "others", ""):
        client.post("/profile/sessions/end/", {"session": chosen})
    assert is_logged_in(other)


# -- By an admin ----------------------------------------------------------------------------------
def test_an_admin_ends_the_sessions_of_a_user_after_a_question(user: User, client: Client) -> None:
    browsers = [log_in(user), log_in(user)]
    admin = log_in_admin(client)
    url = reverse("admin:accounts_user_end_sessions", args=(user.pk,))
    assert client.get(url).content.decode().count("Firefox on Windows") == 2
    assert list_sessions(user=user).count() == 2
    assert list_messages(client.post(url, follow=True)) == [f"Sessions of {user} that were ended: 2."]
    assert [is_logged_in(each) for each in browsers] == [False, False]
    entries = AuditEntry.objects.filter(record_uid=user.uid, changes__has_key="session")
    assert [(entry.actor, entry.source) for entry in entries] == [(admin, "admin")] * 2
    assert list_messages(client.post(url, follow=True)) == [f"{user} is logged in nowhere."]


def test_only_who_may_change_a_user_ends_their_sessions(client: Client) -> None:
    root = UserFactory.create(is_superuser=True)
    browser = log_in(root)
    url = reverse("admin:accounts_user_end_sessions", args=(root.pk,))
    for permissions in (["admin:jobs"], ["admin:security"]):
        profile = SecurityProfileFactory.create(permissions=permissions)
        client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
        assert client.post(url).status_code == 403
    assert is_logged_in(browser)


# -- With a new password, and with a deactivation -----------------------------------------------------
def change_by_command(user: User) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("getpass.getpass", lambda **_: NEW_PASSWORD)
        call_command("changepassword", user.username, stdout=io.StringIO())


def set_and_save(user: User) -> None:
    user.set_password(NEW_PASSWORD)
    user.save()


def reset_in_the_console(user: User) -> None:
    client = Client()
    log_in_admin(client)
    typed = {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD, "usable_password": "true"}
    assert client.post(f"/admin/accounts/user/{user.pk}/password/", typed).status_code == 302


def deactivate(user: User) -> None:
    user.is_active = False
    user.save()


@pytest.mark.parametrize(
    "end",
    [
        change_by_command,
        set_and_save,
        reset_in_the_console,
        lambda user: User.objects.filter(pk=user.pk).update(password=make_password("x")),
        deactivate,
        lambda user: User.objects.filter(pk=user.pk).update(is_active=False),
    ],
)
def test_a_new_password_and_a_deactivation_end_all_sessions_by_whatever_door(
    user: User, end: Callable[[User], Any]
) -> None:
    browser, others = log_in(user), log_in(UserFactory.create(username="other"))
    end(User.objects.get(pk=user.pk))
    assert (list_sessions(user=user).count(), is_logged_in(browser), is_logged_in(others)) == (0, False, True)
    User.objects.filter(pk=user.pk).update(is_active=True)
    assert not is_logged_in(browser)


def test_the_session_that_changed_the_password_goes_on_and_the_others_end(user: User, clock: Traveller) -> None:
    here, elsewhere = log_in(user), log_in(user)
    key = here.session.session_key
    clock.shift(dt.timedelta(minutes=10))
    typed = {"old_password": USER_PASSWORD, "new_password1": NEW_PASSWORD, "new_password2": NEW_PASSWORD}
    assert here.post("/password/", typed).status_code == 302
    assert (is_logged_in(here), is_logged_in(elsewhere)) == (True, False)
    [session] = list_sessions(user=user)
    assert session.session_key != key
    assert session.begun_at == dt.datetime(2026, 3, 2, 8, tzinfo=dt.UTC)


# -- Browsers -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("agent", "expected"),
    [
        (FIREFOX, "Firefox on Windows"),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36",
            "Chrome on Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/142.0 Safari/537.36 Edg/142.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1", "Safari on macOS"),
        ("curl/8.5.0", "Another browser"),
        ("", ""),
    ],
)
def test_browsers_are_named_in_words(agent: str, expected: str) -> None:
    assert describe_browser({"HTTP_USER_AGENT": agent}) == expected
