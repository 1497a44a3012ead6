"""Forms of the application settings and of security profiles."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from ctms.accounts.models import SecurityProfile
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.forms.identifiers import PersonIdentifierForm
from ctms.configuration.models import ApplicationSettings
from ctms.configuration.permissions import ACTIONS, list_areas, list_permission_rows, list_permissions


class ApplicationSettingsForm(PersonIdentifierForm):
    """The form of the global identifier mapping."""

    class Meta:
        model = ApplicationSettings
        fields = ("enable_global_crm_mapping", "clinical_person_identifier", "crm_account_identifier")


class PermissionsWidget(UnfoldAdminCheckboxSelectMultipleWidget):
    """A table of check-boxes with a row per object and a column per action, and below it the console's areas."""

    template_name = "admin/widgets/permissions.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        held = set(value or ())
        context["actions"] = [action.capitalize() for action in ACTIONS]
        context["rows"] = [
            {
                "label": row.label,
                "is_narrowed": row.is_narrowed,
                "cells": [
                    {"value": permission, "checked": permission in held, "label": f"{row.label}: {action}"}
                    for permission, action in zip(row.permissions, ACTIONS, strict=True)
                ],
            }
            for row in list_permission_rows()
        ]
        unknown = [(permission, permission) for permission in sorted(held.difference(list_permissions()))]
        context["areas"] = [
            {"value": permission, "checked": permission in held, "label": label}
            for permission, label in [*((area.permission, area.label) for area in list_areas()), *unknown]
        ]
        return context


class SecurityProfileForm(AuditedModelForm):
    """The form of a security profile with check-boxes for its permissions."""

    permissions = forms.MultipleChoiceField(required=False, widget=PermissionsWidget)

    class Meta:
        model = SecurityProfile
        fields = ("name", "api_name", "status", "description", "sees_all_studies", "permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # A permission that does not exist any more stays in the profile until somebody unticks it.
        field = self.fields["permissions"]
        if isinstance(field, forms.MultipleChoiceField):
            field.choices = [(name, name) for name in dict.fromkeys([*list_permissions(), *self.instance.permissions])]

    def clean_permissions(self) -> list[str]:
        return sorted(self.cleaned_data["permissions"])
