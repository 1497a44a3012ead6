"""The second factor: set up, asked for at the log-in, never right twice, lost, removed, required."""

from __future__ import annotations

import base64
import datetime as dt
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.urls import reverse
from time_machine import Traveller, travel

from ctms.accounts.models import FailedLogIn, SecondFactor, SecurityProfile, User
from ctms.accounts.second_factor import compute_code, get_present_step
from ctms.audit.choices import AuditAction
from ctms.audit.key_rotation import rotate_encryption_keys
from ctms.audit.models import AuditEntry
from ctms.audit.second_factor import check_code
from ctms.core.encryption import create_key
from tests.admin_forms import list_messages, log_in_admin
from tests.factories.accounts import USER_PASSWORD, SecurityProfileFactory, UserFactory
from tests.factories.base import build_admin_actor

pytestmark = pytest.mark.django_db

PAGE, CODE = "/second-factor/", "/login/code/"


@pytest.fixture(autouse=True)
def _offer() -> Iterator[None]:
    with override_settings(TOTP="optional"):
        yield


@pytest.fixture
def clock() -> Iterator[Traveller]:
    with travel(dt.datetime(2026, 3, 2, 12, 0, tzinfo=dt.UTC), tick=False) as traveller:
        yield traveller


def get_code(secret: str, *, offset: int = 0) -> str:
    return compute_code(secret=secret, step=get_present_step() + offset)


def get_wrong_code(secret: str) -> str:
    """Return a code that is right in no step near this one."""
    right = {get_code(secret, offset=offset) for offset in range(-2, 3)}
    return next(code for code in ("000000", "111111", "222222", "333333", "444444", "555555") if code not in right)


def set_up(user: User) -> tuple[str, list[str]]:
    """Set a second factor up as a user does; return the secret of the app and the recovery codes."""
    client = Client()
    client.force_login(user)
    secret = client.get(PAGE).context["secret"]
    # A code of the minute before, so that the present one is still to be used.
    return secret, client.post(PAGE, {"code": get_code(secret, offset=-1)}).context["codes"]


def enter_password(user: User, **values: str) -> tuple[Client, Any]:
    client = Client()
    return client, client.post("/login/", {"username": user.username, "password": USER_PASSWORD, **values})


def is_logged_in(client: Client) -> bool:
    return "_auth_user_id" in client.session


# RFC 6238, appendix B: the last six digits of its codes of eight.
@pytest.mark.parametrize(("time", "code"), [(59, "287082"), (1111111109, "081804"), (20000000000, "353130")])
def test_codes_are_those_of_the_standard(time: int, code: str) -> None:
    secret = base64.b32encode(b"12345678901234567890").decode()
    assert compute_code(secret=secret, step=time // 30) == code


def test_the_app_is_set_up_with_a_code_and_its_secret_is_kept_encrypted(client: Client, clock: Traveller) -> None:
    user = UserFactory.create()
    client.force_login(user)
    page = client.get(PAGE)
    secret = page.context["secret"]
    assert f'value="{secret}"' in page.content.decode()
    assert page.context["image"].startswith("data:image/svg+xml")
    assert client.get(PAGE).context["secret"] == secret
    assert secret not in str(dict(client.session))

    wrong = client.post(PAGE, {"code": get_wrong_code(secret)})
    assert wrong.context["form"].errors["code"] == [
        "This is not the code that the app shows now. Enter the newest one."
    ]
    assert not SecondFactor.objects.exists()

    codes = client.post(PAGE, {"code": get_code(secret)}).context["codes"]
    assert len(set(codes)) == 10
    factor = SecondFactor.objects.get(user=user)
    assert factor.secret.reveal() == secret
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM accounts_secondfactor")
        stored = str(cursor.fetchall())
    assert not [each for each in (secret, *codes) if each in stored]
    entry = AuditEntry.objects.get(record_uid=factor.uid)
    assert (entry.action, entry.changes["secret"], entry.actor) == (AuditAction.CREATED, [None, "set"], user)
    assert not [each for each in (secret, *codes) if each in str(entry.changes)]


def test_the_log_in_asks_for_the_code_and_goes_where_it_was_going(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client, page = enter_password(user, next="/password/")
    assert "Enter the code" in page.content.decode()
    assert not is_logged_in(client)
    assert client.get("/").headers["Location"] == "/login/?next=/"
    answer = client.post(CODE, {"code": get_code(secret), "next": page.context["next"]})
    assert answer.headers["Location"] == "/password/"
    assert is_logged_in(client)


def test_what_was_typed_before_the_log_in_is_kept_through_the_code(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client, page = enter_password(user, sent="subject=Call")
    assert 'name="sent" value="subject=Call"' in page.content.decode()
    answer = client.post(CODE, {"code": get_code(secret), "sent": "subject=Call", "next": "/"})
    assert '<input type="hidden" name="subject" value="Call" />' in answer.content.decode()


@pytest.mark.parametrize(("offset", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_wrong_by_half_a_minute(clock: Traveller, offset: int, accepted: bool) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    clock.shift(dt.timedelta(minutes=5))
    client, _ = enter_password(user)
    client.post(CODE, {"code": get_code(secret, offset=offset)})
    assert is_logged_in(client) == accepted


def test_no_code_is_right_twice(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, codes = set_up(user)
    for code in (get_code(secret), codes[0]):
        for accepted in (True, False):
            client, _ = enter_password(user)
            client.post(CODE, {"code": code})
            assert is_logged_in(client) == accepted, code


def test_a_recovery_code_is_right_however_it_is_typed_and_its_use_is_in_the_trail(clock: Traveller) -> None:
    user = UserFactory.create()
    _, codes = set_up(user)
    client, _ = enter_password(user)
    client.post(CODE, {"code": f" {codes[3].upper().replace('-', ' ')} "})
    assert is_logged_in(client)
    assert AuditEntry.objects.filter(record_uid=user.uid, reason="A recovery code was used; 9 are left").exists()
    assert "9 recovery codes left" in " ".join(client.get(PAGE).content.decode().split())


def test_wrong_codes_lock_out_and_a_right_password_does_not_forgive_them(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    for _ in range(5):
        client, _page = enter_password(user)
        assert client.post(CODE, {"code": get_wrong_code(secret)}).status_code == 200
    client, _page = enter_password(user)
    refused = client.post(CODE, {"code": get_code(secret)})
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(15 * 60 + 1))
    assert not is_logged_in(client)
    assert AuditEntry.objects.filter(action=AuditAction.LOGIN_FAILED, actor_name=user.username).count() == 5


def test_the_password_waits_ten_minutes_for_its_code(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client, _ = enter_password(user)
    clock.shift(dt.timedelta(minutes=10))
    assert "Forgotten your password?" in client.post(CODE, {"code": get_code(secret)}).content.decode()
    assert not is_logged_in(client)


@pytest.mark.parametrize("change", ["deactivated", "another password"])
def test_who_may_not_log_in_any_more_is_stopped_before_the_code(clock: Traveller, change: str) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client, _ = enter_password(user)
    if change == "deactivated":
        User.objects.filter(pk=user.pk).update(is_active=False)
    else:
        user.set_password("another-password-of-tests")
        user.save()
    client.post(CODE, {"code": get_code(secret)})
    assert not is_logged_in(client)


def test_without_a_password_no_code_opens_anything(client: Client, clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    assert "Log in" in client.post(CODE, {"code": get_code(secret)}).content.decode()
    assert not is_logged_in(client)


def test_the_session_changes_its_key_with_the_password_and_with_the_code(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client = Client()
    client.get("/login/")
    session = client.session
    session["seen"] = True
    session.save()
    keys = [session.session_key]
    client.post("/login/", {"username": user.username, "password": USER_PASSWORD})
    keys.append(client.session.session_key)
    client.post(CODE, {"code": get_code(secret)})
    keys.append(client.session.session_key)
    assert len(set(keys)) == 3


# -- Required, and off ----------------------------------------------------------------------------
def test_where_it_is_required_nothing_else_opens_until_it_is_set_up(clock: Traveller) -> None:
    user = UserFactory.create(is_staff=True, is_superuser=True)
    with override_settings(TOTP="required"):
        client, _ = enter_password(user)
        for address in ("/", "/admin/", "/api/v1/objects/", "/profile/"):
            assert client.get(address).headers["Location"] == PAGE
        secret = client.get(PAGE).context["secret"]
        client.post(PAGE, {"code": get_code(secret)})
        assert client.get("/").status_code == 200
        clock.shift(dt.timedelta(minutes=1))
        client, _ = enter_password(user)
        client.post(CODE, {"code": get_code(secret)})
        assert client.get("/").status_code == 200


def test_where_it_is_off_there_is_no_page_and_no_code_is_asked_for(client: Client, clock: Traveller) -> None:
    user = UserFactory.create()
    set_up(user)
    with override_settings(TOTP="off"):
        client, answer = enter_password(user)
        assert answer.headers["Location"] == "/"
        assert client.get(PAGE).status_code == 404
        assert "Second factor" not in client.get("/profile/").content.decode()


# -- Removing it ----------------------------------------------------------------------------------
def test_it_is_removed_with_a_code(client: Client, clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client.force_login(user)
    assert "On: show or remove" in client.get("/profile/").content.decode()
    client.post(PAGE, {"code": get_wrong_code(secret)})
    assert SecondFactor.objects.filter(user=user).exists()
    assert list_messages(client.post(PAGE, {"code": get_code(secret), "remove": "1"}, follow=True)) == [
        "Your second factor was removed."
    ]
    assert enter_password(user)[1].headers["Location"] == "/"


LIST = reverse("admin:accounts_secondfactor_changelist")


def test_an_admin_removes_that_of_a_user_who_lost_the_app(client: Client, clock: Traveller) -> None:
    user = UserFactory.create()
    set_up(user)
    log_in_admin(client)
    factor = SecondFactor.objects.get(user=user)
    answer = client.post(LIST, {"action": "remove", "_selected_action": [factor.pk]}, follow=True)
    assert list_messages(answer) == [f"{user}: the second factor was removed."]
    entry = AuditEntry.objects.filter(record_uid=factor.uid).first()
    assert entry is not None
    assert (entry.action, entry.reason, entry.source) == (AuditAction.DELETED, "Removed by an admin", "admin")
    assert enter_password(user)[1].headers["Location"] == "/"


def test_only_a_superuser_removes_that_of_a_superuser(client: Client, clock: Traveller) -> None:
    superuser = UserFactory.create(is_superuser=True)
    set_up(superuser)
    profile = SecurityProfileFactory.create(permissions=["admin:security"])
    client.force_login(UserFactory.create(is_staff=True, security_profile=profile))
    factor = SecondFactor.objects.get()
    client.post(LIST, {"action": "remove", "_selected_action": [factor.pk]})
    assert SecondFactor.objects.exists()


def test_the_command_removes_it(clock: Traveller, capsys: pytest.CaptureFixture[str]) -> None:
    user = UserFactory.create()
    set_up(user)
    call_command("remove_second_factor", user.username)
    assert capsys.readouterr().out == f"The second factor of {user} was removed.\n"
    with pytest.raises(CommandError, match=f"No user of the username '{user.username}' has a second factor"):
        call_command("remove_second_factor", user.username)


# -- What the database and the keys do ------------------------------------------------------------
def test_the_secret_follows_a_new_encryption_key(clock: Traveller, settings: Any) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    old, new = settings.FIELD_ENCRYPTION_KEYS[0], create_key(key_id="new")
    settings.FIELD_ENCRYPTION_KEYS = [new, old]
    rotate_encryption_keys(actor=build_admin_actor())
    settings.FIELD_ENCRYPTION_KEYS = [new]
    assert SecondFactor.objects.get(user=user).secret.reveal() == secret
    assert check_code(user=user, code=get_code(secret))


@pytest.mark.both_databases
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["app", "recovery"])
def test_of_several_log_ins_with_one_code_at_the_same_moment_one_succeeds(clock: Traveller, kind: str) -> None:
    user = UserFactory.create()
    secret, codes = set_up(user)
    code = get_code(secret) if kind == "app" else codes[0]
    accepted: list[bool] = []

    def check() -> None:
        try:
            accepted.append(check_code(user=user, code=code))
        finally:
            connection.close()

    threads = [threading.Thread(target=check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(accepted) == [*[False] * 7, True]
    assert not FailedLogIn.objects.exists()


def test_wrong_codes_count_of_the_user_from_whatever_address(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client, _ = enter_password(user)
    answers = [
        client.post(CODE, {"code": get_wrong_code(secret)}, REMOTE_ADDR=f"2001:db8:{number:x}::1").status_code
        for number in range(6)
    ]
    assert answers == [200] * 5 + [429]
    assert client.post(CODE, {"code": get_code(secret)}, REMOTE_ADDR="2001:db8:ff::1").status_code == 429
    assert not is_logged_in(client)


def test_a_page_from_before_it_was_set_up_does_not_remove_it(clock: Traveller) -> None:
    user = UserFactory.create()
    with override_settings(TOTP="required"):
        first, second = Client(), Client()
        for client in (first, second):
            client.force_login(user)
        secret = first.get(PAGE).context["secret"]
        first.post(PAGE, {"code": get_code(secret, offset=-1)})
        page = second.get(PAGE).content.decode()
        assert "Go on" in page
        assert "Remove" not in page
        assert second.post(PAGE, {"code": get_code(secret)}).headers["Location"] == "/"
        assert second.get("/").status_code == 200
    assert SecondFactor.objects.filter(user=user).exists()


def test_an_admin_removes_only_that_of_users_whom_they_may_change(client: Client, clock: Traveller) -> None:
    owner = UserFactory.create(security_profile=SecurityProfile.objects.get(api_name="vault_owner__v"))
    set_up(owner)
    officer = UserFactory.create(
        is_staff=True, security_profile=SecurityProfileFactory.create(permissions=["admin:security"])
    )
    set_up(officer)
    client.force_login(officer)
    chosen = list(SecondFactor.objects.values_list("pk", flat=True))
    url = reverse("admin:accounts_secondfactor_changelist")
    client.post(url, {"action": "remove", "_selected_action": chosen})
    assert SecondFactor.objects.count() == 2


# -- At a page that was left open -----------------------------------------------------------------
def open_left_page(clock: Traveller, user: User) -> Client:
    """Return a session whose user logged in a while ago."""
    client = Client()
    client.force_login(user)
    clock.shift(dt.timedelta(minutes=6))
    return client


def test_setting_up_asks_for_the_password_a_while_after_the_log_in(clock: Traveller) -> None:
    user = UserFactory.create()
    client = open_left_page(clock, user)
    page = client.get(PAGE)
    assert 'name="password"' in page.content.decode()
    code = get_code(page.context["secret"])
    for password, problem in (("", "Enter your password."), ("wrong", "This is not your password.")):
        refused = client.post(PAGE, {"code": code, "password": password})
        assert refused.context["form"].errors == {"password": [problem]}
    assert not SecondFactor.objects.exists()
    assert len(client.post(PAGE, {"code": code, "password": USER_PASSWORD}).context["codes"]) == 10


def test_removing_asks_for_the_password_too_and_does_not_use_the_code_up(clock: Traveller) -> None:
    user = UserFactory.create()
    secret, _ = set_up(user)
    client = open_left_page(clock, user)
    code = get_code(secret)
    refused = client.post(PAGE, {"code": code, "password": "wrong", "remove": "1"})
    assert refused.context["form"].errors == {"password": ["This is not your password."]}
    assert SecondFactor.objects.count() == 1
    assert client.post(PAGE, {"code": code, "password": USER_PASSWORD, "remove": "1"}).status_code == 302
    assert not SecondFactor.objects.exists()


def test_wrong_passwords_there_count_as_those_of_the_log_in(clock: Traveller) -> None:
    user = UserFactory.create()
    client = open_left_page(clock, user)
    answers = [client.post(PAGE, {"code": "123456", "password": "wrong"}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert FailedLogIn.objects.count() == 5


def test_who_has_no_password_logs_in_again_first(clock: Traveller) -> None:
    user = UserFactory.create()
    user.set_unusable_password()
    user.save()
    client = open_left_page(clock, user)
    refused = client.post(PAGE, {"code": "123456", "password": ""})
    assert (refused.status_code, "Log in again first" in refused.content.decode()) == (403, True)
    client.force_login(user)
    assert client.get(PAGE).status_code == 200
