"""Two who write one user at the same moment: an invitation is used once, and each change is in the trail as it was."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from threading import Event
from time import monotonic, sleep
from typing import Any

import pytest
from django.core import mail
from django.core.exceptions import ValidationError
from django.db import transaction
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.invitations import send_invitation
from ctms.audit.models import AuditEntry
from tests.admin_forms import fill, list_errors, read_form
from tests.factories.accounts import SecurityProfileFactory, UserFactory
from tests.factories.base import get_admin_user
from tests.locks import count_waiting
from tests.reliability.simultaneous import call_at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


@pytest.mark.parametrize("_attempt", range(5))
def test_of_two_who_use_one_invitation_one_sets_the_password(_attempt: int) -> None:
    user = UserFactory.create(password=None)
    send_invitation(user=user, actor=Actor(user=get_admin_user(), source="admin"))
    [token] = re.findall(r"token=(\S+)", str(mail.outbox[-1].body))

    def accept(password: str) -> int:
        typed: dict[str, Any] = {"token": token, "new_password1": password, "new_password2": password}
        return Client().post("/invitation/", typed).status_code

    passwords = ["first-password-chosen", "other-password-chosen"]
    answers = call_at_once([partial(accept, password) for password in passwords])
    assert sorted(answers) == [302, 410]
    assert User.objects.get(pk=user.pk).check_password(passwords[answers.index(302)])
    assert AuditEntry.objects.filter(record_uid=user.uid, changes__has_key="password", action="changed").count() == 1


@pytest.mark.parametrize("_attempt", range(5))
def test_changes_at_once_follow_one_another_in_trail_and_version(_attempt: int) -> None:
    user = UserFactory.create(email="0@example.org")
    addresses = [f"{number}@example.org" for number in range(1, 5)]

    def change(address: str) -> int:
        return User.objects.filter(pk=user.pk).update(email=address)

    assert call_at_once([partial(change, address) for address in addresses]) == [1] * 4
    stored = User.objects.get(pk=user.pk)
    entries = AuditEntry.objects.filter(record_uid=user.uid, action="changed").order_by("id")
    told = [entry.changes["email"] for entry in entries]
    assert [before for before, _ in told] == ["0@example.org", *(after for _, after in told[:-1])]
    assert (told[-1][1], stored.version) == (stored.email, 5)


# -- Usernames ------------------------------------------------------------------------------------
# The constraint of the database keeps two equal names apart; these differ in nothing that is seen.
ALIKE = ("carla", "CARLA")
ADD = "/admin/accounts/user/add/"
TAKEN = "The username carla is there already; CARLA could not be told from it. Choose another."


def wait_for_lock(or_until: Event) -> None:
    """Wait until a transaction of this database waits for an advisory lock, or does not have to."""
    end = monotonic() + 60
    while not or_until.is_set() and monotonic() < end:
        if count_waiting(kind="advisory"):
            return
        sleep(0.02)


def write_one_after_the_other(first: Callable[[], Any], second: Callable[[], Any]) -> list[Any]:
    """Call `second` when `first` has written and not yet committed. Return what both returned or raised."""
    has_written, has_ended = Event(), Event()

    def write_slowly() -> Any:
        try:
            with transaction.atomic():
                written = first()
                has_written.set()
                wait_for_lock(has_ended)
                return written
        finally:
            has_written.set()

    def write_meanwhile() -> Any:
        try:
            has_written.wait()
            return second()
        finally:
            has_ended.set()

    return call_at_once([write_slowly, write_meanwhile])


def create(username: str) -> User:
    return User.objects.create_user(username=username)


def rename(user: User, username: str) -> None:
    user.username = username
    user.save()


def test_of_two_who_choose_one_username_before_either_commits_the_second_is_refused() -> None:
    first, second = write_one_after_the_other(*(partial(create, each) for each in ALIKE))
    assert (str(first), type(second)) == ("carla", ValidationError)
    assert second.message_dict == {"username": [TAKEN]}
    assert list(User.objects.filter(username__iexact="carla").values_list("username", flat=True)) == ["carla"]


def test_a_user_who_is_renamed_meanwhile_is_refused_as_well() -> None:
    other = UserFactory.create(username="eva")
    _, second = write_one_after_the_other(partial(create, "carla"), partial(rename, other, "CARLA"))
    assert isinstance(second, ValidationError)
    assert sorted(User.objects.filter(username__in=["eva", *ALIKE]).values_list("username", flat=True)) == [
        "carla",
        "eva",
    ]


def send(form: Any, username: str) -> Any:
    client = Client()
    client.force_login(UserFactory.create(is_superuser=True, is_staff=True))
    values = fill(read_form(client.get(ADD), form_id="user_form"), typed=form | {"username": username})
    return partial(client.post, ADD, values)


def test_the_console_says_beside_the_field_that_somebody_was_faster() -> None:
    typed = {"email": "c@example.org", "security_profile": str(SecurityProfileFactory.create().pk)}
    answer, later = write_one_after_the_other(*(send(typed, each) for each in ALIKE))
    assert (answer.status_code, later.status_code) == (302, 200)
    assert list_errors(later) == {"username": [TAKEN]}
    assert User.objects.filter(username__iexact="carla").count() == 1


def test_the_console_says_it_where_a_user_is_renamed() -> None:
    admin, other = UserFactory.create(is_superuser=True, is_staff=True), UserFactory.create(username="eva")
    client = Client()
    client.force_login(admin)
    url = f"/admin/accounts/user/{other.pk}/change/"
    values = fill(read_form(client.get(url), form_id="user_form"), typed={"username": "CARLA"})
    _, later = write_one_after_the_other(partial(create, "carla"), partial(client.post, url, values))
    assert list_errors(later) == {"username": [TAKEN]}
    assert User.objects.get(pk=other.pk).username == "eva"
