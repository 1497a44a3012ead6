"""Backwards: remove connections without URL, which the schema of before refuses. They never transferred anything."""

from __future__ import annotations

from django.db import migrations

_CONNECTIONS = "SELECT id FROM connections_connection WHERE url = ''"
_INTEGRATIONS = f"SELECT id FROM connections_integration WHERE connection_id IN ({_CONNECTIONS})"  # noqa: S608  names of our own
_RULES = f"SELECT id FROM connections_integrationrule WHERE integration_id IN ({_INTEGRATIONS})"  # noqa: S608  names of our own

# Children first.
_REMOVE_UNFINISHED = (
    f"DELETE FROM connections_fieldrule WHERE rule_id IN ({_RULES})",  # noqa: S608
    f"DELETE FROM connections_integrationrule WHERE integration_id IN ({_INTEGRATIONS})",  # noqa: S608
    f"DELETE FROM connections_integrationprogress WHERE integration_id IN ({_INTEGRATIONS})",  # noqa: S608
    f"DELETE FROM connections_integration WHERE connection_id IN ({_CONNECTIONS})",  # noqa: S608
    f"DELETE FROM connections_crmconnectionidentifiermapping WHERE connection_id IN ({_CONNECTIONS})",  # noqa: S608
    f"DELETE FROM connections_connectionschedule WHERE connection_id IN ({_CONNECTIONS})",  # noqa: S608
    "DELETE FROM connections_connection WHERE url = ''",
)


class Migration(migrations.Migration):
    dependencies = [("connections", "0015_callback_sessions")]

    operations = [migrations.RunSQL(migrations.RunSQL.noop, _REMOVE_UNFINISHED)]
