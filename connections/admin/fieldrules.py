"""Field rules in the admin: list and details. They are added and switched on the page of their rule."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from connections.admin.filters import IntegrationFilter
from connections.defaults import is_delivered
from connections.models import FieldRule
from connections.ruleforms import FieldRuleForm
from ctms.audit.admin.base import AuditedModelAdmin


@admin.register(FieldRule)
class FieldRuleAdmin(AuditedModelAdmin):
    """Lists field rules and shows all details of one."""

    form = FieldRuleForm
    list_display = ("source", "target", "kind", "is_required", "status", "rule", "connection_name")
    list_display_links = ("source", "target")
    list_filter = (
        "rule__integration__connection",
        ("rule__integration__kind", IntegrationFilter),
        ("kind", ChoicesDropdownFilter),
        "is_required",
        "status",
    )
    list_select_related = ("rule__integration__connection",)
    search_fields = ("source", "target", "rule__name")
    readonly_fields = ("show_rule", "connection_name", "is_required", "status")
    fieldsets = (
        (
            None,
            {
                "fields": (
                    ("connection_name", "show_rule"),
                    ("source", "target"),
                    "kind",
                    ("is_required", "status"),
                    "position",
                ),
                "description": "It is switched on and off on the page of its integration rule.",
            },
        ),
        ("By kind", {"fields": ("constant", "picklist_map", ("reference_object", "reference_field"))}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("rule__integration__connection")

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Whether the rule can be deleted: delivered and required ones cannot, only switched off."""
        if isinstance(obj, FieldRule):
            delivered = is_delivered(integration_kind=obj.rule.integration.kind, target=obj.target)
            if obj.is_required or delivered:
                return False
        return super().has_delete_permission(request, obj)

    def response_post_save_change(self, request: HttpRequest, obj: FieldRule) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(_build_rule_url(obj))

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        rule = self.get_object(request, object_id)
        response = super().delete_view(request, object_id, extra_context)
        is_done = isinstance(response, HttpResponseRedirect) and not FieldRule.objects.filter(pk=object_id).exists()
        return HttpResponseRedirect(_build_rule_url(rule)) if rule and is_done else response

    @admin.display(description="connection", ordering="rule__integration__connection")
    def connection_name(self, field_rule: FieldRule) -> str:
        return str(field_rule.rule.integration.connection)

    @admin.display(description="integration rule")
    def show_rule(self, field_rule: FieldRule) -> str:
        return format_html(
            "<a class='vault-link' href='{}'>{}</a>", _build_rule_url(field_rule), field_rule.rule.integration.name
        )


def _build_rule_url(field_rule: FieldRule) -> str:
    return reverse("admin:connections_integrationrule_change", args=(field_rule.rule_id,))
