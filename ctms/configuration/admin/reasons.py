"""The console page on which admins say which changes need a reason."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ctms.audit.admin.base import AuditedModelAdmin
from ctms.configuration.admin.pages import ObjectFilter, show_object
from ctms.configuration.forms.reasons import ReasonRuleForm
from ctms.configuration.models import ReasonRule
from ctms.configuration.selectors import find_object


@admin.register(ReasonRule)
class ReasonRuleAdmin(AuditedModelAdmin):
    """A rule is added and deleted; there is nothing else to change about it."""

    form = ReasonRuleForm
    list_display = ("show_field", show_object)
    list_filter = (ObjectFilter,)

    def get_fields(self, request: HttpRequest, obj: ReasonRule | None = None) -> list[Any]:  # noqa: ARG002  Django's signature
        return ["of_object", "show_field"] if obj else ["what"]

    def get_readonly_fields(self, request: HttpRequest, obj: ReasonRule | None = None) -> tuple[str, ...]:  # noqa: ARG002  Django's signature
        return ("of_object", "show_field") if obj else ()

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002  Django's signature
        return False

    @admin.display(description="field")
    def show_field(self, rule: ReasonRule) -> str:
        """Return the label of the field; of a custom field the API name, which takes no statement for each row."""
        vault_object = find_object(rule.of_object)
        if vault_object is not None and rule.field_name in vault_object.list_field_names():
            return vault_object.get_field(rule.field_name).label
        return rule.field_name or "Every change, and the deletion"
