"""Connections to Medical CRM organisations, their authorizations, integrations and rules."""

from connections.models.authorizations import ConnectionAuthorization
from connections.models.connections import MAX_CONNECTIONS, Connection, CrmConnectionIdentifierMapping
from connections.models.integrations import FieldRule, Integration, IntegrationProgress, IntegrationRule

__all__ = [
    "MAX_CONNECTIONS",
    "Connection",
    "ConnectionAuthorization",
    "CrmConnectionIdentifierMapping",
    "FieldRule",
    "Integration",
    "IntegrationProgress",
    "IntegrationRule",
]
