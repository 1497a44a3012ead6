"""Connections to Medical CRM organisations, their authorizations, integrations and rules."""

from connections.models.authorizations import ConnectionAuthorization
from connections.models.callbacks import CallbackSession
from connections.models.connections import MAX_CONNECTIONS, Connection
from connections.models.descriptions import CrmFieldChange, CrmObjectDescription, CrmObjectList
from connections.models.identifier_mappings import CrmConnectionIdentifierMapping
from connections.models.integrations import FieldRule, Integration, IntegrationProgress, IntegrationRule
from connections.models.schedules import ConnectionSchedule

__all__ = [
    "MAX_CONNECTIONS",
    "CallbackSession",
    "Connection",
    "ConnectionAuthorization",
    "ConnectionSchedule",
    "CrmConnectionIdentifierMapping",
    "CrmFieldChange",
    "CrmObjectDescription",
    "CrmObjectList",
    "FieldRule",
    "Integration",
    "IntegrationProgress",
    "IntegrationRule",
]
