"""Reads users, and creates the user *System*."""

from __future__ import annotations

from django.contrib.auth.hashers import make_password

from ctms.accounts.models import SYSTEM_USERNAME, User


def get_system_user() -> User:
    """Return the user *System*, whom jobs write as. It cannot log in, and is created on the first call."""
    user, _ = User.objects.get_or_create(
        username=SYSTEM_USERNAME,
        defaults={"first_name": "System", "is_active": False, "password": make_password(None)},
    )
    return user
