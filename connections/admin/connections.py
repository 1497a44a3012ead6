"""Connections in the admin: form, identifier mapping and integrations."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html

from connections.admin.callbacks import CallbackSessionsAdmin
from connections.admin.copying import CopyToNewAdmin
from connections.admin.marks import show_trouble
from connections.admin.switching import SwitchableAdmin
from connections.forms import ConnectionForm, IdentifierMappingForm
from connections.models import Connection, CrmConnectionIdentifierMapping, Integration
from connections.selectors import mark_integrations, order_integrations
from connections.services import create_connection, save_connection
from ctms.audit.actors import Actor
from ctms.audit.admin.base import AuditedTabularInline
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.readonly import ReadOnlyTabularInline
from ctms.audit.admin.writing import get_expected_version
from ctms.core.clock import format_time


class IdentifierMappingInline(AuditedTabularInline):
    model = CrmConnectionIdentifierMapping
    form = IdentifierMappingForm
    fields = ("clinical_person_identifier", "crm_account_identifier")
    verbose_name = "CRM connection identifier mapping (optional; wins over Application Settings)"
    extra = 1  # a connection has one at most

    def get_formset(self, request: HttpRequest, obj: Connection | None = None, **kwargs: Any) -> Any:
        formset = super().get_formset(request, obj, **kwargs)
        formset.form.connection = obj
        return formset


class IntegrationInline(ReadOnlyTabularInline):
    """The four integrations, each with a link to its rule."""

    model = Integration
    fields = ("show_name", "show_rule", "status", "show_trouble", "last_successful_run")
    verbose_name_plural = "integrations"
    hide_title = True

    def get_queryset(self, request: HttpRequest) -> Any:
        integrations = super().get_queryset(request).select_related("progress", "rule")
        return order_integrations(mark_integrations(integrations))

    @admin.display(description="integration")
    def show_name(self, integration: Integration) -> str:
        return format_html(
            "<a class='vault-link' href='{}'>{}</a>",
            reverse("admin:connections_integration_change", args=(integration.pk,)),
            integration.name,
        )

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
    def last_successful_run(self, integration: Integration) -> str:
        return format_time(integration.progress.last_successful_run_at)


_GENERAL = ("name", "url", "authorization", "pace", "description")
_ADVANCED = (
    "api_name",
    "contact_email",
    ("connect_timeout", "read_timeout"),
    ("concurrency", "quota_percent"),
)
_CALLBACKS = (
    "authorized_connection_user",
    ("callback_scope", "callback_minutes"),
    "callback_header",
)
_CALLBACKS_SECTION: Any = ("Call-backs", {"classes": ("collapse",), "fields": _CALLBACKS})


@register_page(Connection)
class ConnectionAdmin(CopyToNewAdmin, SwitchableAdmin, CallbackSessionsAdmin):
    """At most ten connections; creating one also creates its integrations and rules, and makes it Active."""

    form = ConnectionForm
    list_display: Any = ("name", "url", "authorization", "status", "modified_at")
    list_filter = ("status",)
    list_select_related = ("authorization",)
    search_fields = ("name", "url", "api_name")
    autocomplete_fields = ("authorization", "authorized_connection_user")
    readonly_fields = ("status",)  # changed by Activate and Deactivate, which explain the consequences
    stay_after_add = True
    actions_detail: Any = ("copy_to_new", "activate", "deactivate", "callback_sessions")
    fieldsets = (
        (None, {"fields": (*_GENERAL, "status")}),
        ("Advanced", {"classes": ("collapse",), "fields": _ADVANCED}),
        _CALLBACKS_SECTION,
    )
    add_fieldsets = (
        (None, {"fields": _GENERAL, "description": "A connection is Active once it is saved, and usable at once."}),
        ("Advanced", {"classes": ("collapse",), "fields": _ADVANCED}),
        _CALLBACKS_SECTION,
    )

    def get_inlines(self, request: HttpRequest, obj: Connection | None) -> list[Any]:  # noqa: ARG002  Django's signature
        return [IdentifierMappingInline, IntegrationInline] if obj else [IdentifierMappingInline]

    def write_record(self, *, record: Connection, form: Any, actor: Actor) -> None:
        if record._state.adding:  # noqa: SLF001  Django's documented API
            create_connection(connection=record, actor=actor, copy_rules_of=form.copy_source)
        else:
            save_connection(connection=record, actor=actor, expected_version=get_expected_version(form))

    def save_model(self, request: HttpRequest, obj: Connection, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        self.warn_about_missing_parts(request, obj)
