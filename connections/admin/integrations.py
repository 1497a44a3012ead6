"""Integrations and their progress in the admin."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from connections.admin.marks import show_trouble
from connections.models import Integration, IntegrationProgress
from connections.selectors import mark_integrations
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.core.clock import format_time


@admin.register(Integration)
class IntegrationAdmin(AuditedModelAdmin):
    """Integrations, which are created with their connection: they can be switched off, not added or deleted."""

    list_display = ("name", "connection", "show_rule", "status", "show_trouble", "show_last_successful_run")
    list_filter = ("connection", ("kind", ChoicesDropdownFilter), "status")
    list_select_related = ("connection", "progress", "rule")
    search_fields = ("name", "connection__name")
    fields = ("connection", "kind", "name", "status", "show_rule", "show_trouble", "show_last_successful_run")
    readonly_fields = ("connection", "kind", "show_rule", "show_trouble", "show_last_successful_run")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return mark_integrations(super().get_queryset(request))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    @admin.display(description="integration rule")
    def show_rule(self, integration: Integration) -> str:
        rule = integration.rule
        return format_html(
            "<a class='vault-link' href='{}'>{}</a>",
            reverse("admin:connections_integrationrule_change", args=(rule.pk,)),
            rule.name,
        )

    @admin.display(description="attention")
    def show_trouble(self, integration: Any) -> str:
        return show_trouble(lacks_required=integration.lacks_required)

    @admin.display(description="last successful run time")
    def show_last_successful_run(self, integration: Integration) -> str:
        return format_time(integration.progress.last_successful_run_at)


@admin.register(IntegrationProgress)
class IntegrationProgressAdmin(ReadOnlyModelAdmin):
    """Lists how far each integration has come."""

    view_permission = "integration__sys:read"
    list_display = ("integration", "connection_name", "last_successful_run_at", "watermark", "outcome_unknown")
    list_select_related = ("integration__connection",)

    @admin.display(description="connection")
    def connection_name(self, progress: IntegrationProgress) -> str:
        return str(progress.integration.connection)
