"""Manage Connections is enough for every task for which the requirement documents name it."""

from __future__ import annotations

import pytest

from connections.permissions import MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS
from ctms.accounts.models import User
from ctms.accounts.policies import has_permission
from ctms.configuration.permissions import list_areas, list_permissions
from tests.factories.accounts import SecurityProfileFactory, UserFactory

pytestmark = pytest.mark.django_db

PATH = [
    "connection__sys:create",
    "connection_authorization__sys:edit",
    "crm_connection_identifier_mapping__v:delete",
    "integration__sys:edit",
    "integration_rule__sys:edit",
    "field_rule__sys:create",
    MANAGE_INTEGRATIONS,
    "admin:configuration",
    "admin:settings",
    "admin:jobs",
]
BEYOND = ["admin:security", "admin:audit", "study__v:read", "exception_item__sys:read"]


def create_user(permission: str) -> User:
    return UserFactory.create(security_profile=SecurityProfileFactory.create(permissions=[permission]))


def test_manage_connections_brings_what_setting_one_up_takes_and_no_more() -> None:
    user = create_user(MANAGE_CONNECTIONS)
    assert [name for name in [*PATH, *BEYOND] if has_permission(user=user, permission=name)] == PATH
    assert user.has_perm("connections.add_connection")
    assert not user.has_perm("clinical.view_study")


def test_manage_integrations_brings_the_rules_alone() -> None:
    user = create_user(MANAGE_INTEGRATIONS)
    held = [name for name in [*PATH, *BEYOND] if has_permission(user=user, permission=name)]
    assert held == [
        "integration__sys:edit",
        "integration_rule__sys:edit",
        "field_rule__sys:create",
        MANAGE_INTEGRATIONS,
    ]


def test_profiles_offer_both() -> None:
    assert {MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS} <= {area.permission for area in list_areas()}
    assert {MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS} <= set(list_permissions())
