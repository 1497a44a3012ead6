"""Two who write one user at the same moment: an invitation is used once, and each change is in the trail as it was."""

from __future__ import annotations

import re
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from ctms.accounts.models import User
from ctms.audit.actors import Actor
from ctms.audit.invitations import send_invitation
from ctms.audit.models import AuditEntry
from tests.factories.accounts import UserFactory
from tests.factories.base import get_admin_user
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
