from __future__ import annotations

import pytest
from django.contrib.auth import authenticate

from ctms.accounts.models import User
from ctms.accounts.selectors import get_system_user
from tests.reliability.simultaneous import call_at_once

pytestmark = pytest.mark.both_databases


@pytest.mark.django_db
def test_the_user_system_is_one_and_cannot_log_in() -> None:
    user = get_system_user()
    assert get_system_user() == user
    assert (user.username, str(user), user.is_active, user.is_staff) == ("system", "System", False, False)
    assert user.has_usable_password() is False
    assert [authenticate(username="system", password=password) for password in ("", "!", user.password)] == [None] * 3


@pytest.mark.postgresql
@pytest.mark.django_db(transaction=True)
def test_the_user_system_is_one_however_many_need_it_first() -> None:
    User.objects.filter(username="system").update(username="another")
    users = call_at_once([get_system_user] * 6)
    assert users == [User.objects.get(username="system")] * 6
    assert {user.has_usable_password() for user in users} == {False}
