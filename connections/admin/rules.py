"""Integrations, their integration rules, and the field rules of those."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from connections.forms import FieldRuleRowForm
from connections.models import FieldRule, Integration, IntegrationProgress, IntegrationRule
from ctms.audit.admin.base import AuditedModelAdmin, AuditedTabularInline
from ctms.audit.admin.readonly import ReadOnlyModelAdmin
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time


def warn_about_inactive_required(*, request: HttpRequest, rules: list[FieldRule]) -> None:
    """Tell what follows from field rules that are required and were just switched off."""
    for rule in rules:
        if rule.is_required and rule.status == RecordStatus.INACTIVE:
            integration = rule.rule.integration
            messages.warning(
                request,
                f"{rule.name} is required and now Inactive: {integration.name} of {integration.connection} will fail "
                "with a user exception and send nothing until the field rule is Active again.",
            )


@admin.register(Integration)
class IntegrationAdmin(AuditedModelAdmin):
    """Delivered with their connection: they can be switched off, not added or deleted."""

    list_display = ("name", "connection", "show_rule", "status", "show_last_successful_run")
    list_filter = ("connection", ("kind", ChoicesDropdownFilter), "status")
    list_select_related = ("connection", "progress", "rule")
    search_fields = ("name", "connection__name")
    fields = ("connection", "kind", "name", "status", "show_rule", "show_last_successful_run")
    readonly_fields = ("connection", "kind", "show_rule", "show_last_successful_run")

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

    @admin.display(description="last successful run time")
    def show_last_successful_run(self, integration: Integration) -> str:
        return format_time(integration.progress.last_successful_run_at)


class FieldRuleInline(AuditedTabularInline):
    model = FieldRule
    form = FieldRuleRowForm
    fields = ("position", "source", "target", "kind", "show_required", "active")
    readonly_fields = ("show_required",)  # what is required is for the receiving side to say, not for a switch
    can_delete = False  # rules are switched off; those that are not required can be deleted on their own page
    show_change_link = True
    verbose_name_plural = "field rules: source → target"

    @admin.display(description="required")
    def show_required(self, rule: FieldRule) -> str:
        return "Required" if rule.is_required else "–"


@admin.register(IntegrationRule)
class IntegrationRuleAdmin(AuditedModelAdmin):
    """Which object goes where, with the table of its field rules."""

    list_display = ("name", "integration", "connection_name", "vault_object", "crm_object", "status")
    list_filter = ("integration__connection", "integration__kind", "status")
    list_select_related = ("integration__connection",)
    search_fields = ("name", "vault_object", "crm_object", "integration__connection__name")
    readonly_fields = ("integration", "connection_name")
    inlines = (FieldRuleInline,)
    fieldsets = (
        (None, {"fields": (("connection_name", "integration"), ("name", "status"))}),
        (
            "Objects",
            {"fields": (("vault_object", "vault_object_type"), ("crm_object", "crm_external_id_field"))},
        ),
        (
            "Selection and deletion",
            {
                "classes": ("collapse",),
                "fields": (
                    ("vault_filter_field", "crm_filter_field"),
                    ("deletion_mode", "deletion_field"),
                    ("deletion_value", "deletion_max_length"),
                ),
            },
        ),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_formset(request, form, formset, change)
        switched = [child.instance for child in formset.initial_forms if "active" in child.changed_data]
        warn_about_inactive_required(request=request, rules=switched)

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, rule: IntegrationRule) -> str:
        return str(rule.integration.connection)


@admin.register(FieldRule)
class FieldRuleAdmin(AuditedModelAdmin):
    """One field rule with all its details."""

    list_display = ("source", "target", "kind", "is_required", "status", "rule", "connection_name")
    list_display_links = ("source", "target")
    list_filter = (
        "rule__integration__connection",
        "rule__integration__kind",
        ("kind", ChoicesDropdownFilter),
        "is_required",
        "status",
    )
    list_select_related = ("rule__integration__connection",)
    search_fields = ("source", "target", "rule__name")
    autocomplete_fields = ("rule",)

    def get_readonly_fields(self, request: HttpRequest, obj: FieldRule | None = None) -> tuple[str, ...]:  # noqa: ARG002  Django's signature
        return ("rule", "connection_name", "is_required") if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: FieldRule | None = None) -> Any:  # noqa: ARG002  Django's signature
        belongs_to: Any = ("connection_name", "rule") if obj else "rule"
        return (
            (
                None,
                {"fields": (belongs_to, ("source", "target"), "kind", ("is_required", "status"), "position")},
            ),
            ("By kind", {"fields": ("constant", "picklist_map", ("reference_object", "reference_field"))}),
        )

    def save_model(self, request: HttpRequest, obj: FieldRule, form: Any, change: bool) -> None:  # noqa: FBT001  Django's signature
        super().save_model(request, obj, form, change)
        if "status" in form.changed_data:
            warn_about_inactive_required(request=request, rules=[obj])

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """A required field's rule can be switched off, with the warning that it gives; not made to have never been."""
        return not (isinstance(obj, FieldRule) and obj.is_required) and super().has_delete_permission(request, obj)

    @admin.display(description="connection", ordering="rule__integration__connection")
    def connection_name(self, field_rule: FieldRule) -> str:
        return str(field_rule.rule.integration.connection)


@admin.register(IntegrationProgress)
class IntegrationProgressAdmin(ReadOnlyModelAdmin):
    """How far each integration has come."""

    view_permission = "integration__sys:read"
    list_display = ("integration", "connection_name", "last_successful_run_at", "watermark", "outcome_unknown")
    list_select_related = ("integration__connection",)

    @admin.display(description="connection")
    def connection_name(self, progress: IntegrationProgress) -> str:
        return str(progress.integration.connection)
