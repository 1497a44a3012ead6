"""The page of an integration rule: its field rules, its filter and its switches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse

from connections.admin.filters import IntegrationFilter
from connections.admin.marks import show_trouble
from connections.callbacks import TEXT_LENGTH
from connections.choices import FieldRuleKind, IntegrationKind
from connections.defaults import list_delivered
from connections.models import FieldRule, Integration, IntegrationRule
from connections.ruleforms import AddFieldRuleForm, IntegrationRuleForm
from connections.ruleservices import (
    RESTORED,
    add_field_rule,
    check_typed_rule,
    count_matching,
    restore_standard_rules,
    set_filter,
    switch,
)
from connections.selectors import find_switched, mark_rules
from connections.tables import describe_object, list_condition_rows, list_facts, list_field_rule_rows
from ctms.audit.admin.base import AuditedModelAdmin
from ctms.audit.admin.pages import register_page
from ctms.audit.admin.writing import build_actor, build_audit_trail_url, get_user, try_write
from ctms.configuration.admin.pages import render_page
from ctms.configuration.snapshot import load_configuration
from ctms.core.choices import RecordStatus
from ctms.core.clock import format_time
from ctms.core.text.whole_numbers import read_whole_number
from ctms.records.conditions.askers import VaultAsker
from ctms.records.conditions.compiling import count_stored
from ctms.records.conditions.forms import ConditionsForm

_WITH_CHILDREN = (IntegrationKind.STUDY_OUTBOUND, IntegrationKind.SITE_OUTBOUND)
_ADDED_KINDS = {
    "copy": FieldRuleKind.COPY,
    "constant": FieldRuleKind.CONSTANT,
    "callback": FieldRuleKind.CALLBACK_SESSION,
}
_ADDING = {
    FieldRuleKind.COPY: (
        "Copy a field",
        "The value of the source is copied to the target as it is; values of a picklist by their API names.",
    ),
    FieldRuleKind.CONSTANT: ("Set a constant", "The target gets this value with every record that is transferred."),
    FieldRuleKind.CALLBACK_SESSION: (
        "Hand over the call-back session",
        (
            "With every record that is sent, the target gets a short-lived session with which the CRM may call the "
            "Vault back as the Authorized Connection User. Whoever reads the field can use it until it ends, so hide "
            "the field from those who may not. It changes with every transfer, and is no reason to send a record "
            f"again. It has {TEXT_LENGTH} characters."
        ),
    ),
}


@register_page(IntegrationRule)
class IntegrationRuleAdmin(AuditedModelAdmin):
    """Integration rules; each has a page of its own, and *Edit rule* opens Django's form."""

    list_display = ("name", "integration", "connection_name", "status", "show_filter", "show_trouble")
    list_filter = ("integration__connection", ("integration__kind", IntegrationFilter), "status")
    list_select_related = ("integration__connection",)
    search_fields = ("name", "vault_object", "crm_object", "integration__connection__name")
    readonly_fields = ("integration", "connection_name")
    form = IntegrationRuleForm

    # -- Permissions, addresses and the list --------------------------------------------------------
    def get_urls(self) -> list[URLPattern]:
        pages: dict[str, Callable[..., HttpResponse]] = {
            "edit": self.edit_view,
            "switch": self.switch_view,
            "add-field-rule": self.add_field_rule_view,
            "check": self.check_view,
            "filter": self.filter_view,
            "restore": self.restore_view,
        }
        own = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(view),
                name=f"connections_integrationrule_{name.replace('-', '_')}",
            )
            for name, view in pages.items()
        ]
        return [*own, *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        return mark_rules(super().get_queryset(request).select_related("integration__connection"))

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002  Django's signature
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    def get_fieldsets(self, request: HttpRequest, obj: IntegrationRule | None = None) -> Any:  # noqa: ARG002  Django's signature
        """Return what there is to edit: fields that a direction does not use are left out."""
        is_inbound = obj is not None and obj.integration.is_inbound
        vault: Any = ("From the Vault", {"fields": ("vault_object", "vault_object_type", "vault_filter_field")})
        crm: Any = ("To the CRM", {"fields": ("crm_object", "crm_external_id_field", "allow_duplicates")})
        deletion: tuple[str, ...] = ("deletion_mode", "deletion_field", "deletion_value", "deletion_max_length")
        if is_inbound:
            crm = ("From the CRM", {"fields": ("crm_object", "crm_filter_field")})
            vault = ("To the Vault", {"fields": ("vault_object", "vault_object_type")})
            deletion = ("deletion_mode",)
        return (
            (None, {"fields": (("connection_name", "integration"), "name")}),
            *((crm, vault) if is_inbound else (vault, crm)),
            ("Deletions", {"fields": deletion}),
        )

    @admin.display(description="connection", ordering="integration__connection")
    def connection_name(self, rule: IntegrationRule) -> str:
        return str(rule.integration.connection)

    @admin.display(description="filter")
    def show_filter(self, rule: IntegrationRule) -> str:
        number = count_stored(rule.conditions)
        return f"{number} condition{'' if number == 1 else 's'}" if number else "–"

    @admin.display(description="attention")
    def show_trouble(self, rule: Any) -> str:
        return show_trouble(lacks_required=rule.lacks_required)

    # -- The page -----------------------------------------------------------------------------------
    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",  # noqa: ARG002  Django's signature
        extra_context: dict[str, Any] | None = None,  # noqa: ARG002  Django's signature
    ) -> HttpResponse:
        rule = self._get_rule(request, object_id)
        configuration = load_configuration()
        rows = list_field_rule_rows(rule=rule, configuration=configuration)
        conditions = list_condition_rows(rule=rule, configuration=configuration, user=get_user(request))
        progress = rule.integration.progress
        return self._render(
            request,
            rule=rule,
            template="admin/connections/rule.html",
            title=rule.integration.name,
            context={
                "vault_side": describe_object(rule=rule, configuration=configuration),
                "facts": list_facts(rule=rule, configuration=configuration),
                "last_run": format_time(progress.last_successful_run_at),
                "rows": rows,
                "broken": [row for row in rows if row.problem],
                "failing": [row for row in rows if row.fails],
                "conditions": conditions,
                "filter_problems": [row.problem for row in conditions if row.problem],
                "active": RecordStatus.ACTIVE,
                "can_change_rule": self.has_change_permission(request, rule),
                "can_change_integration": self._may(request, Integration),
                "can_change_field_rules": self._may(request, FieldRule),
                "can_add_field_rules": self._may(request, FieldRule, "add"),
                "can_delete_field_rules": self._may(request, FieldRule, "delete"),
                "audit_trail_url": build_audit_trail_url(rule) if self._get_audit_trail_url(request, object_id) else "",
            },
        )

    def edit_view(self, request: HttpRequest, object_id: str) -> Any:
        """Show Django's form of the rule: names, objects, selection and deletion."""
        self._get_rule(request, object_id)
        return self.changeform_view(request, object_id)

    def response_post_save_change(self, request: HttpRequest, obj: IntegrationRule) -> HttpResponseRedirect:  # noqa: ARG002  Django's signature
        return HttpResponseRedirect(self.get_change_url(obj))

    # -- Switches -----------------------------------------------------------------------------------
    def switch_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Switch a field rule, the rule or its integration; ask before a required field rule is switched off."""
        rule = self._get_rule(request, object_id)
        if request.method != "POST":
            return HttpResponseRedirect(self.get_change_url(rule))
        record = find_switched(rule=rule, what=request.POST.get("what", ""), key=request.POST.get("key", ""))
        if record is None:
            raise Http404
        if not self._may(request, type(record)):
            raise PermissionDenied
        status = RecordStatus.ACTIVE if request.POST.get("status") == RecordStatus.ACTIVE else RecordStatus.INACTIVE
        version = read_whole_number(request.POST.get("read_version", ""))
        if version is None:
            raise Http404
        if _needs_confirmation(record=record, status=status) and "confirmed" not in request.POST:
            return self._render(
                request,
                rule=rule,
                template="admin/connections/confirm_switch.html",
                title="Deactivate a required field rule",
                context={
                    "record": record,
                    "read_version": str(version),
                    "status": status,
                    "has_children": rule.integration.kind in _WITH_CHILDREN,
                },
            )
        refusal = try_write(
            lambda: switch(record=record, status=status, actor=build_actor(request), expected_version=version)
        )
        if refusal is not None:
            self.message_user(request, " ".join(refusal.messages), messages.ERROR)
        else:
            self._tell_switched(request, record=record, rule=rule)
        return HttpResponseRedirect(self.get_change_url(rule))

    def _tell_switched(
        self, request: HttpRequest, *, record: Integration | IntegrationRule | FieldRule, rule: IntegrationRule
    ) -> None:
        label = record.get_status_display()
        if _needs_confirmation(record=record, status=RecordStatus(record.status)):
            self.message_user(
                request,
                f"{record} is required and now Inactive: {rule.integration.name} of {rule.integration.connection} will "
                "fail with a user exception and send nothing until the field rule is Active again.",
                messages.WARNING,
            )
        else:
            self.message_user(request, f"{record} is {label} from the next run on.", messages.SUCCESS)

    # -- Adding field rules -------------------------------------------------------------------------
    def add_field_rule_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Add a field rule that copies a field or sets a constant."""
        rule = self._get_rule(request, object_id)
        kind = _ADDED_KINDS.get(request.GET.get("kind", "copy"))
        if kind is None or (kind == FieldRuleKind.CALLBACK_SESSION and rule.integration.is_inbound):
            raise Http404
        if not self._may(request, FieldRule, "add"):
            raise PermissionDenied
        form = AddFieldRuleForm(request.POST or None, rule=rule, kind=kind, configuration=load_configuration())
        if form.is_valid():
            refusal = try_write(lambda: add_field_rule(rule=rule, actor=build_actor(request), **form.read_rule()))
            if refusal is None:
                self.message_user(
                    request,
                    "The field rule was added. Records that are sent from now on hand the session over."
                    if kind == FieldRuleKind.CALLBACK_SESSION
                    else "The field rule was added. All records are looked at again in the next run.",
                    messages.SUCCESS,
                )
                return HttpResponseRedirect(self.get_change_url(rule))
            form.show_refusal(refusal)
        title, explanation = _ADDING[kind]
        return self.show_action(
            request, record=rule, title=title, form=form, submit_label="Add field rule", explanation=explanation
        )

    def check_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show what is wrong with a field rule that is being typed: a piece of a page, nothing is written."""
        rule = self._get_rule(request, object_id)
        if not (self._may(request, FieldRule, "add") or self._may(request, FieldRule)):
            raise PermissionDenied
        return TemplateResponse(
            request, "admin/connections/mapping_check.html", {"checked": check_typed_rule(rule=rule, typed=request.GET)}
        )

    # -- The delivered field rules ------------------------------------------------------------------
    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask, then make the delivered field rules what they were when delivered."""
        rule = self._get_rule(request, object_id)
        if not (self._may(request, FieldRule) and self._may(request, FieldRule, "add")):
            raise PermissionDenied
        form = forms.Form(request.POST if request.method == "POST" else None)
        if request.method == "POST" and form.is_valid():
            counts: list[int] = []
            refusal = try_write(lambda: counts.append(restore_standard_rules(rule=rule, actor=build_actor(request))))
            if refusal is None:
                number = f"{counts[0]} field rule{'' if counts[0] == 1 else 's'}"
                self.message_user(request, f"Standard rules restored: {number} changed.", messages.SUCCESS)
                return HttpResponseRedirect(self.get_change_url(rule))
            form.add_error(None, refusal)
        return self.show_action(
            request,
            record=rule,
            title=RESTORED,
            form=form,
            submit_label=RESTORED,
            explanation=(
                f"The {len(list_delivered(rule.integration.kind))} field rules that the Vault delivers for "
                f"{rule.integration.name} become Active, with their sources, targets and picklist maps as delivered; "
                "those that are missing are added. Field rules that admins added stay as they are, and so do objects, "
                "external id, filter and deletion. All records are looked at again in the next run."
            ),
        )

    # -- The filter ---------------------------------------------------------------------------------
    def filter_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Edit the filter of an outbound rule."""
        rule = self._get_rule(request, object_id)
        if rule.integration.is_inbound:
            raise Http404
        if not self.has_change_permission(request, rule):
            raise PermissionDenied
        data = request.POST if request.method == "POST" else None
        form = ConditionsForm(
            asker=VaultAsker(configuration=load_configuration()),
            user=get_user(request),
            object_name=rule.vault_object,
            object_type=rule.vault_object_type,
            stored=rule.conditions,
            data=data,
            has_typeahead=False,
        )
        version = read_whole_number(request.POST.get("read_version", str(rule.version)))
        if data is not None and not form.act() and version is not None and form.check():
            refusal = try_write(
                lambda: set_filter(
                    rule=rule, conditions=form.read(), actor=build_actor(request), expected_version=version
                )
            )
            if refusal is None:
                matching, all_records = count_matching(rule)
                self.message_user(
                    request,
                    f"The filter was saved: {matching:,} of {all_records:,} records match now.",
                    messages.SUCCESS,
                )
                return HttpResponseRedirect(self.get_change_url(rule))
            form.error = " ".join(refusal.messages)
        return self._render(
            request,
            rule=rule,
            template="admin/connections/filter.html",
            title="Filter",
            context={
                "form": form,
                "read_version": str(version if version is not None else rule.version),
                "vault_side": describe_object(rule=rule, configuration=load_configuration()),
            },
        )

    # -- Common to the pages ------------------------------------------------------------------------
    def _get_rule(self, request: HttpRequest, object_id: str) -> IntegrationRule:
        rule = self.get_object(request, unquote(object_id))
        if not self.has_view_permission(request, rule):
            raise PermissionDenied
        if rule is None:
            raise Http404
        return cast("IntegrationRule", rule)

    def _may(self, request: HttpRequest, model: type[models.Model], action: str = "change") -> bool:
        return get_user(request).has_perm(f"connections.{action}_{model._meta.model_name}")

    def _render(
        self, request: HttpRequest, *, rule: IntegrationRule, template: str, title: str, context: dict[str, Any]
    ) -> HttpResponse:
        addresses = {
            name: reverse(f"admin:connections_integrationrule_{name}", args=(rule.pk,))
            for name in ("change", "edit", "switch", "add_field_rule", "filter", "restore")
        }
        frame = {"original": rule, "rule": rule, "integration": rule.integration, "addresses": addresses}
        return render_page(
            model_admin=self, request=request, template=template, title=title, context={**frame, **context}
        )


def _needs_confirmation(*, record: Integration | IntegrationRule | FieldRule, status: RecordStatus) -> bool:
    return isinstance(record, FieldRule) and record.is_required and status == RecordStatus.INACTIVE
