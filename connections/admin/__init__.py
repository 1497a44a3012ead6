"""Connections in the admin."""

from connections.admin.authorizations import ConnectionAuthorizationAdmin
from connections.admin.connections import ConnectionAdmin
from connections.admin.rules import FieldRuleAdmin, IntegrationAdmin, IntegrationProgressAdmin, IntegrationRuleAdmin

__all__ = [
    "ConnectionAdmin",
    "ConnectionAuthorizationAdmin",
    "FieldRuleAdmin",
    "IntegrationAdmin",
    "IntegrationProgressAdmin",
    "IntegrationRuleAdmin",
]
