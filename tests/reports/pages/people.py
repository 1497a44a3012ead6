"""Users of the tests of reports' pages."""

from __future__ import annotations

from typing import Any

from django.test import Client

from ctms.accounts.models import User
from tests.factories.accounts import SecurityProfileFactory, UserFactory

READS = ("crm_activity__v:read", "study__v:read", "site__v:read", "person__sys:read")
REPORTS = tuple(f"report__sys:{action}" for action in ("read", "create", "edit", "delete"))


def create_user(*permissions: str, **values: Any) -> User:
    """Return a user who may build reports about activities, or who has these permissions."""
    profile = SecurityProfileFactory.create(permissions=[*(permissions or (*REPORTS, *READS))], sees_all_studies=True)
    return UserFactory.create(security_profile=profile, **values)


def log_in(user: User) -> Client:
    """Return a browser in which the user is logged in."""
    client = Client()
    client.force_login(user)
    return client
