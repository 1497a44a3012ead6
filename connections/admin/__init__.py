"""Connections, authorizations, integrations and their rules in the admin."""

from connections.admin.authorizations import ConnectionAuthorizationAdmin
from connections.admin.connections import ConnectionAdmin
from connections.admin.entries import EntriesByConnection
from connections.admin.fieldrules import FieldRuleAdmin
from connections.admin.integrations import IntegrationAdmin, IntegrationProgressAdmin
from connections.admin.rules import IntegrationRuleAdmin

__all__ = [
    "ConnectionAdmin",
    "ConnectionAuthorizationAdmin",
    "EntriesByConnection",
    "FieldRuleAdmin",
    "IntegrationAdmin",
    "IntegrationProgressAdmin",
    "IntegrationRuleAdmin",
]
