"""Connections with what only the transfer knows of them: registered in the place of the floor below's."""

from __future__ import annotations

from django.contrib import admin

from connections.admin import ConnectionAdmin
from connections.models import Connection
from crm_sync.admin.connection_health import HealthyAdmin
from crm_sync.admin.connection_names import NameCheckingAdmin
from crm_sync.admin.connection_removal import RemovableAdmin
from crm_sync.admin.connection_test import TestableAdmin

admin.site.unregister(Connection)


@admin.register(Connection)
class TransferringConnectionAdmin(HealthyAdmin, RemovableAdmin, NameCheckingAdmin, TestableAdmin, ConnectionAdmin):
    """A connection with its health, its test and its end."""

    actions_detail = (*ConnectionAdmin.actions_detail, "test_connection")
