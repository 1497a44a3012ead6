"""Reading users."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from ctms.accounts.models import SYSTEM_USERNAME, User


def get_system_user() -> User:
    """The user *System*, as whom jobs write. It cannot log in; it is made on first need."""
    user, _ = User.objects.get_or_create(
        username=SYSTEM_USERNAME,
        defaults={"first_name": "System", "is_active": False, "password": make_password(None)},
    )
    return user
