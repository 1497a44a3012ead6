"""The form of a security profile: a matrix of objects and actions, and the areas of the console."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, ClassVar

from django import forms
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget

from ctms.accounts.models import SecurityProfile
from ctms.audit.forms import AuditedModelForm
from ctms.configuration.permissions import (
    ACTIONS,
    PermissionRow,
    add_reading,
    list_areas,
    list_permission_rows,
    list_permissions,
)
from ctms.configuration.registry import list_record_objects


class PermissionsWidget(UnfoldAdminCheckboxSelectMultipleWidget):
    """Tables of check-boxes: objects by actions, the areas of the console, and what this version does not know."""

    template_name = "admin/widgets/permissions.html"

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context(name, value, attrs)
        held = set(value or ())
        rows = list_permission_rows()
        of_study_teams = {each.api_name for each in list_record_objects()}
        context["actions"] = [action.capitalize() for action in ACTIONS]
        context["groups"] = [
            {"title": title, "rows": [_build_row(row, held=held) for row in rows if _is_in(row, of_study_teams) is own]}
            for title, own in (("Records of the study teams", True), ("Set-up and logs", False))
        ]
        context["areas"] = [
            {
                "value": area.permission,
                "checked": area.permission in held,
                "label": area.label,
                "explanation": area.explanation,
            }
            for area in list_areas()
        ]
        context["unknown"] = sorted(held.difference(list_permissions()))
        return context


class SecurityProfileForm(AuditedModelForm):
    """The form of a security profile with check-boxes for its permissions."""

    permissions = forms.MultipleChoiceField(
        required=False,
        widget=PermissionsWidget,
        error_messages={"invalid_choice": "%(value)s: there is no such permission. Tick those of this page."},
    )
    # The permissions of the profile that is copied. They stay while the form is corrected, too, if they are unknown.
    copied_permissions: ClassVar[Sequence[str]] = ()

    class Meta:
        model = SecurityProfile
        fields = ("name", "api_name", "status", "description", "sees_all_studies", "log_views", "permissions")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.added_reading: list[str] = []
        # A permission that does not exist any more stays in the profile until somebody unticks it.
        field = self.fields.get("permissions")
        if isinstance(field, forms.MultipleChoiceField):
            names = dict.fromkeys([*list_permissions(), *self.instance.permissions, *self.copied_permissions])
            field.choices = [(name, name) for name in names]

    def clean_permissions(self) -> list[str]:
        """Return the permissions that were ticked, with Read wherever Create, Edit or Delete was ticked without it."""
        ticked = self.cleaned_data["permissions"]
        completed = add_reading(ticked)
        self.added_reading = sorted(set(completed) - set(ticked))
        return completed


def _build_row(row: PermissionRow, *, held: Collection[str]) -> dict[str, Any]:
    return {
        "label": row.label,
        "is_narrowed": row.is_narrowed,
        "cells": [
            {"value": permission, "checked": permission in held, "label": f"{row.label}: {action}"}
            for permission, action in zip(row.permissions, ACTIONS, strict=True)
        ],
    }


def _is_in(row: PermissionRow, objects: Collection[str]) -> bool:
    return row.object_name in objects
