"""Further permissions that *Manage Connections* and *Manage Integrations* grant."""

from __future__ import annotations

from connections.models import (
    Connection,
    ConnectionAuthorization,
    CrmConnectionIdentifierMapping,
    FieldRule,
    Integration,
    IntegrationRule,
)
from ctms.accounts.policies import register_grants
from ctms.reports.models import Report, ReportType

MANAGE_CONNECTIONS, MANAGE_INTEGRATIONS = "admin:connections", "admin:integrations"

_ALL = ("read", "create", "edit", "delete")
_RULES = (Integration, IntegrationRule, FieldRule)


def register_connection_grants() -> None:
    """Register what the two permissions grant; called once, when the app is ready.

    The requirement documents name *Manage Connections* alone for all tasks of setting up a connection. These tasks
    include changes of Objects, Application Settings and Job Definitions, and building the report of what failed.
    """
    rules = [f"{model.object_name}:{action}" for model in _RULES for action in _ALL]
    register_grants(permission=MANAGE_INTEGRATIONS, brings=[*rules, f"{Report.object_name}:read"])
    register_grants(
        permission=MANAGE_CONNECTIONS,
        brings=[
            *(
                f"{model.object_name}:{action}"
                for model in (Connection, ConnectionAuthorization, CrmConnectionIdentifierMapping)
                for action in _ALL
            ),
            *rules,
            *(f"{model.object_name}:{action}" for model in (ReportType, Report) for action in _ALL),
            MANAGE_INTEGRATIONS,
            "admin:configuration",
            "admin:settings",
            "admin:jobs",
        ],
    )
