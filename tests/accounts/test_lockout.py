"""Wrong passwords: who is locked out, for how long, and that nobody locks somebody else out."""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from time_machine import Traveller, travel

from ctms.accounts.lockout import LockedOutError, begin_attempt, normalise_address, normalise_username
from ctms.accounts.models import FailedLogIn, User
from ctms.audit.choices import AuditAction
from ctms.audit.models import AuditEntry
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

HERE, ELSEWHERE = "192.0.2.7", "198.51.100.1"
LOCKED = 429


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC), tick=False) as traveller:
        yield traveller


WRONG = "wrong"


def log_in(username: str, password: str = WRONG, *, address: str = HERE, **values: str) -> Any:
    return Client(REMOTE_ADDR=address).post("/login/", {"username": username, "password": password, **values})


def fail(username: str, times: int = 5, *, address: str = HERE) -> None:
    for _ in range(times):
        assert log_in(username, address=address).status_code == 200


def read_refusal(answer: Any) -> str:
    [message] = answer.context["form"].non_field_errors()
    return str(message)


def test_after_five_wrong_passwords_the_right_one_is_refused_with_the_time_to_wait(clock: Traveller) -> None:
    user = UserFactory.create()
    fail(user.username)
    clock.shift(dt.timedelta(minutes=3))
    answer = log_in(user.username, USER_PASSWORD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (LOCKED, str(12 * 60 + 1))
    assert read_refusal(answer) == (
        "Too many wrong passwords for this username from your address. Try again at 2 Mar 2026, 12:15 UTC, in 13 "
        "minutes. An admin of your Vault can unlock it at once."
    )


def test_the_lock_ends_when_it_says_so_although_the_user_kept_trying(clock: Traveller) -> None:
    user = UserFactory.create()
    fail(user.username)
    for _ in range(14):
        clock.shift(dt.timedelta(minutes=1))
        assert log_in(user.username, USER_PASSWORD).status_code == LOCKED
    clock.shift(dt.timedelta(minutes=1))
    assert log_in(user.username, USER_PASSWORD).headers["Location"] == "/"


def test_nobody_locks_somebody_out_from_elsewhere() -> None:
    user = UserFactory.create()
    fail(user.username, address=ELSEWHERE)
    assert log_in(user.username, USER_PASSWORD, address=ELSEWHERE).status_code == LOCKED
    assert log_in(user.username, USER_PASSWORD, address=HERE).headers["Location"] == "/"


def test_a_header_that_a_client_makes_up_is_no_other_address() -> None:
    user = UserFactory.create()
    for number in range(5):
        Client(REMOTE_ADDR=ELSEWHERE, HTTP_X_FORWARDED_FOR=f"203.0.113.{number}").post(
            "/login/", {"username": user.username, "password": "wrong"}
        )
    assert log_in(user.username, USER_PASSWORD, address=ELSEWHERE).status_code == LOCKED


@override_settings(LOGIN_FAILURES_PER_ADDRESS=8)
def test_one_address_that_tries_many_usernames_is_locked_for_all(clock: Traveller) -> None:
    user = UserFactory.create()
    for number in range(8):
        fail(f"user-{number}", 1)
    answer = log_in(user.username, USER_PASSWORD)
    assert answer.status_code == LOCKED
    assert read_refusal(answer).startswith("Too many wrong passwords from your address. Try again at 2 Mar 2026, 12:15")
    assert log_in(user.username, USER_PASSWORD, address=ELSEWHERE).headers["Location"] == "/"


@override_settings(LOGIN_FAILURES_PER_ADDRESS=8)
def test_a_right_password_does_not_forgive_the_guesses_at_other_usernames() -> None:
    user = UserFactory.create()
    for number in range(7):
        fail(f"user-{number}", 1)
    assert log_in(user.username, USER_PASSWORD).headers["Location"] == "/"
    fail("user-8", 1)
    assert log_in("user-9").status_code == LOCKED


def test_a_right_password_forgives_the_wrong_ones_before_it() -> None:
    user = UserFactory.create()
    for _ in range(3):
        fail(user.username, 4)
        assert log_in(user.username, USER_PASSWORD).headers["Location"] == "/"


def test_known_and_unknown_users_are_answered_alike(clock: Traveller) -> None:
    known = UserFactory.create().username
    inactive = UserFactory.create(is_active=False).username
    answers = []
    for username in (known, inactive, "nobody"):
        refusals = [log_in(username) for _ in range(6)]
        answers.append([(each.status_code, read_refusal(each), each.headers.get("Retry-After")) for each in refusals])
    assert answers[0] == answers[1] == answers[2]


@pytest.mark.parametrize("spelling", [" Uma", "UMA", "uma ", "\uff35\uff2d\uff21", "uma\0"])
def test_another_spelling_does_not_count_anew(spelling: str) -> None:
    assert normalise_username(spelling) == "uma"


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:0:1:9::5", "2001:db8:0:1::/64"),
        ("2001:db8:0:1::6", "2001:db8:0:1::/64"),
        ("", ""),
    ],
)
def test_an_ipv6_client_is_its_network(address: str, counted: str) -> None:
    assert normalise_address(address) == counted


def test_the_old_password_of_the_password_page_counts_as_a_log_in() -> None:
    user = UserFactory.create()
    client = Client(REMOTE_ADDR=HERE)
    client.force_login(user)
    new = "another-password-of-tests"
    values = {"old_password": "wrong", "new_password1": new, "new_password2": new}
    for _ in range(5):
        assert client.post("/password/", values).status_code == 200
    refused = client.post("/password/", values | {"old_password": USER_PASSWORD})
    assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (LOCKED, True)
    [message] = refused.context["form"].errors["old_password"]
    assert message.startswith("Too many wrong passwords for this username from your address.")
    user.refresh_from_db()
    assert user.check_password(USER_PASSWORD)
    assert log_in(user.username, USER_PASSWORD).status_code == LOCKED
    assert AuditEntry.objects.filter(action=AuditAction.LOGIN_FAILED).count() == 5


def test_what_was_typed_before_the_log_in_is_kept_by_a_refusal() -> None:
    fail("uma")
    page = log_in("uma", sent="subject=Call", next="/records/study__v/").content.decode()
    assert 'name="sent" value="subject=Call"' in page
    assert 'name="next" value="/records/study__v/"' in page


def test_the_trail_has_each_wrong_password_and_the_lock_once() -> None:
    fail("uma")
    for _ in range(3):
        log_in("uma")
    assert AuditEntry.objects.filter(action=AuditAction.LOGIN_FAILED, actor_name="uma").count() == 5
    [lock] = AuditEntry.objects.filter(action=AuditAction.EVENT)
    assert lock.reason.startswith(f"Log-in as uma from {HERE} is locked until ")


def test_wrong_passwords_are_kept_no_longer_than_they_count(clock: Traveller) -> None:
    fail("uma", 3)
    clock.shift(dt.timedelta(minutes=15))
    fail("ben", 1)
    assert list(FailedLogIn.objects.values_list("username", flat=True)) == ["ben"]


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
def test_attempts_at_the_same_moment_count_each_other() -> None:
    begun: list[bool] = []

    def attempt() -> None:
        try:
            begin_attempt(username="uma", address=HERE)
            begun.append(True)
        except LockedOutError:
            begun.append(False)
        finally:
            connection.close()

    threads = [threading.Thread(target=attempt) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 20
    assert sum(begun) <= 5


# -- Unlocking ------------------------------------------------------------------------------------
LIST = reverse("admin:accounts_failedlogin_changelist")


def test_an_admin_unlocks_a_log_in_which_is_in_the_trail(client: Client) -> None:
    user = UserFactory.create()
    fail(user.username)
    fail("nobody")
    log_in_admin(client)
    chosen = FailedLogIn.objects.filter(username=user.username).first()
    assert chosen is not None
    values = {"action": "unlock", "_selected_action": [chosen.pk]}
    assert list_messages(client.post(LIST, values, follow=True)) == ["Unlocked: 5 wrong passwords forgotten."]
    entry = AuditEntry.objects.get(reason=f"Log-in as {user.username} from {HERE} was unlocked")
    assert (entry.record_uid, entry.source) == (user.uid, "admin")
    assert log_in(user.username, USER_PASSWORD).headers["Location"] == "/"
    assert log_in("nobody").status_code == LOCKED


def test_only_who_may_change_users_sees_and_unlocks_log_ins(client: Client) -> None:
    fail("uma")
    profile = SecurityProfileFactory.create(permissions=["admin:audit"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    assert client.get(LIST).status_code == 403
    failure = FailedLogIn.objects.first()
    assert failure is not None
    assert client.post(LIST, {"action": "unlock", "_selected_action": [failure.pk]}).status_code == 403
    assert FailedLogIn.objects.count() == 5
    assert admin.site.is_registered(FailedLogIn)


@pytest.mark.parametrize(
    ("arguments", "left"),
    [
        (("--username", "UMA"), {"ben"}),
        (("--address", ELSEWHERE), {"ben", "uma"}),
        (("--address", HERE), {"uma"}),
        (("--username", "ben", "--address", ELSEWHERE), {"ben", "uma"}),
    ],
)
def test_the_command_unlocks_a_username_an_address_or_both(
    arguments: tuple[str, ...], left: set[str], capsys: pytest.CaptureFixture[str]
) -> None:
    fail("ben", 1)
    fail("uma", 1)
    fail("uma", 1, address=ELSEWHERE)
    call_command("unlock_log_in", *arguments)
    assert set(FailedLogIn.objects.values_list("username", flat=True)) == left
    forgotten = 3 - FailedLogIn.objects.count()
    assert capsys.readouterr().out.startswith(f"{forgotten} wrong password")
    unlocked = AuditEntry.objects.filter(reference="unlock_log_in", actor=User.objects.get(username="system"))
    assert unlocked.exists() == bool(forgotten)


def test_the_command_asks_whom_to_unlock() -> None:
    with pytest.raises(CommandError, match="Say whom to unlock"):
        call_command("unlock_log_in")
